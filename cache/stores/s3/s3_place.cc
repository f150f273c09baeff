#include "cache/stores/s3/s3_place.h"

#include <algorithm>

#include "engine/base/encoding.h"
#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kScheme = "s3://";

// A key as a path: each of its folders' names encoded for itself.
std::string encoded_path(std::string_view key) {
  std::string path;
  for (bool first = true;; first = false) {
    const std::size_t slash = key.find('/');
    path += cat(first ? "" : "/", percent_encoded(key.substr(0, slash)));
    if (slash == key.npos) return path;
    key.remove_prefix(slash + 1);
  }
}

std::string_view host_of(std::string_view url) { return url.substr(url.find("://") + 3); }

bool flag(const Service& service, std::string_view name) {
  const Value* value = service.attributes.find(name);
  return value != nullptr && value->boolean() != nullptr && *value->boolean();
}

std::optional<std::int64_t> whole(const Service& service, std::string_view name) {
  const Value* value = service.attributes.find(name);
  const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(&value->data);
  return number == nullptr ? std::nullopt : std::optional(*number);
}

// `50MB`, `100 MiB`, `2GB`, `800000`.
std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = whole_number<std::uint64_t>(text.substr(0, digits));
  const std::string_view unit = trim(text.substr(digits));
  if (!number || *number == 0) return std::nullopt;
  constexpr std::string_view kPrefixes = "KMG";
  if (unit.empty() || unit == "B") return *number;
  std::size_t power = kPrefixes.find(unit.front()) + 1;
  const bool decimal = unit.substr(1) == "B", binary = unit.substr(1) == "iB";
  if (power == 0 || (!decimal && !binary)) return std::nullopt;
  std::uint64_t bytes = *number;
  for (; power > 0; --power) bytes *= decimal ? 1000 : 1024;
  return bytes;
}

std::string text_or(const Service& service, std::string_view name, std::string_view otherwise) {
  const std::string* text = service.text(name);
  return text == nullptr ? std::string(otherwise) : *text;
}

// Tencent's COS and Huawei's OBS take no condition with a put; UCloud's US3 takes parts of 8 MiB, and nothing
// larger in one request.
S3Limits limits_of(std::string_view host) {
  S3Limits limits;
  if (host.ends_with("myqcloud.com") || host.ends_with("myhuaweicloud.com")) limits.conditional = false;
  if (host.ends_with("ufileos.com") || host.ends_with("ucloud.cn")) {
    limits.part_bytes = limits.single_bytes = std::uint64_t{8} << 20U;
    limits.fixed_parts = true;
    limits.conditional = false;
  }
  return limits;
}

bool is_bucket(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && name.front() != '-' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

}  // namespace

std::string S3Place::object(std::string_view key) const { return path_join(prefix, key); }

std::string S3Place::copy_source(std::string_view key) const {
  return cat("/", bucket, "/", encoded_path(object(key)));
}

std::string S3Place::url(std::string_view key, std::string_view query) const {
  const std::string path = key.empty() ? "" : encoded_path(object(key));
  const std::size_t scheme = service.find("://") + 3;
  std::string all = path_style
                        ? cat(service, "/", bucket, path.empty() ? "" : "/", path)
                        : cat(service.substr(0, scheme), bucket, ".", service.substr(scheme), "/", path);
  return query.empty() ? all : cat(all, "?", query);
}

Result<S3Place> read_s3_place(const Service& service) {
  std::string_view rest = *service.text("url");
  rest.remove_prefix(kScheme.size());
  S3Place place;
  place.name = service.name;
  place.bucket = rest.substr(0, rest.find('/'));
  rest.remove_prefix(place.bucket.size());
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  place.prefix = rest;
  const auto wrong = [&](std::string message, std::string hint) {
    return fail(user_error(std::move(message), std::move(hint)).at(service.where));
  };
  if (!is_bucket(place.bucket))
    return wrong(
        cat("Store ", quoted(service.name), " names no bucket: ", quoted(*service.text("url"))),
        "Write it as `s3://my-bucket/some/prefix`: lower case, digits, `-` and `.`, 3 to 63 characters");
  if (path_clean(place.prefix) != place.prefix)
    return wrong(cat("Store ", quoted(service.name), " has no plain prefix: ", quoted(place.prefix)),
                 "Write it without `.`, `..` and doubled slashes");
  place.region = text_or(service, "region", "");
  place.profile = text_or(service, "profile", "");
  place.path_style = flag(service, "path_style");
  place.create = flag(service, "create");
  constexpr std::int64_t kMostRequests = 256;
  const std::int64_t requests = whole(service, "requests").value_or(place.requests);
  if (requests < 1 || requests > kMostRequests)
    return wrong(cat("Store ", quoted(service.name), " cannot have ", requests, " requests at once"),
                 cat("Write 1 to ", kMostRequests));
  place.requests = static_cast<unsigned>(requests);
  if (const std::string* rate = service.text("bandwidth")) {
    const std::optional<std::uint64_t> bytes = parse_bytes(*rate);
    if (!bytes)
      return wrong(cat("Store ", quoted(service.name), " has a `bandwidth` that is none: ", quoted(*rate)),
                   "Write what may be sent in a second, as `50MB`");
    place.bandwidth = *bytes;
  }
  place.service = text_or(service, "endpoint", "");
  while (place.service.ends_with('/')) place.service.pop_back();
  if (!place.service.empty() && !place.service.starts_with("http://") &&
      !place.service.starts_with("https://"))
    return wrong(
        cat("Store ", quoted(service.name), " has an `endpoint` that is none: ", quoted(place.service)),
        "Write it as `https://s3.example.com`");
  if (!place.service.empty()) place.limits = limits_of(host_of(place.service));
  return place;
}

}  // namespace trainmake
