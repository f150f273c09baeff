#include "cache/stores/bucket_place.h"

#include <algorithm>

#include "engine/base/encoding.h"
#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

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

std::string text_of(const Service& service, std::string_view name) {
  const std::string* text = service.text(name);
  return text == nullptr ? "" : *text;
}

Failure wrong(const Service& service, const std::string& message, std::string hint) {
  return fail(user_error(cat("Store ", quoted(service.name), message), std::move(hint)).at(service.where));
}

Result<SendLimits> read_limits(const Service& service) {
  SendLimits limits;
  constexpr std::int64_t kMostRequests = 256;
  const std::int64_t requests = whole(service, "requests").value_or(limits.requests);
  if (requests < 1 || requests > kMostRequests)
    return wrong(service, cat(" cannot have ", requests, " requests at once"),
                 cat("Write 1 to ", kMostRequests));
  limits.requests = static_cast<unsigned>(requests);
  if (const std::string* rate = service.text("bandwidth")) {
    const std::optional<std::uint64_t> bytes = parse_bytes(*rate);
    if (!bytes)
      return wrong(service, cat(" has a `bandwidth` that is none: ", quoted(*rate)),
                   "Write what may be sent in a second, as `50MB`");
    limits.bandwidth = *bytes;
  }
  return limits;
}

}  // namespace

std::string BucketPlace::object(std::string_view key) const { return path_join(prefix, key); }

std::string encoded_path(std::string_view key) {
  std::string path;
  for (bool first = true;; first = false) {
    const std::size_t slash = key.find('/');
    path += cat(first ? "" : "/", percent_encoded(key.substr(0, slash)));
    if (slash == key.npos) return path;
    key.remove_prefix(slash + 1);
  }
}

bool says_yes(const Service& service, std::string_view name) {
  const Value* value = service.attributes.find(name);
  return value != nullptr && value->boolean() != nullptr && *value->boolean();
}

Result<BucketPlace> read_bucket_place(const Service& service) {
  std::string_view rest = *service.text("url");
  rest.remove_prefix(std::min(rest.find(':') + 1, rest.size()));
  if (rest.starts_with("//")) rest.remove_prefix(2);
  BucketPlace place;
  place.name = service.name;
  place.bucket = rest.substr(0, rest.find('/'));
  rest.remove_prefix(place.bucket.size());
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  place.prefix = rest;
  if (path_clean(place.prefix) != place.prefix)
    return wrong(service, cat(" has no plain prefix: ", quoted(place.prefix)),
                 "Write it without `.`, `..` and doubled slashes");
  place.region = text_of(service, "region");
  place.profile = text_of(service, "profile");
  place.create = says_yes(service, "create");
  TRY_ASSIGN(place.sends, read_limits(service));
  place.service = text_of(service, "endpoint");
  while (place.service.ends_with('/')) place.service.pop_back();
  if (!place.service.empty() && !place.service.starts_with("http://") &&
      !place.service.starts_with("https://"))
    return wrong(service, cat(" has an `endpoint` that is none: ", quoted(place.service)),
                 "Write it as `https://s3.example.com`");
  return place;
}

Result<void> check_key(const BucketPlace& place, const std::string& key, std::size_t longest) {
  const std::optional<std::string> clean = path_clean(key);
  if (!clean || *clean != key || key.empty() || key.starts_with('/'))
    return fail(user_error(cat("Key ", quoted(key), " leads out of the store")));
  if (!is_utf8(key))
    return fail(
        step_error(cat("No object can be called ", quoted(key), ": it is no UTF-8"), "Rename the file"));
  if (place.object(key).size() > longest)
    return fail(
        step_error(cat("The name of an object would be longer than ", longest, " bytes: ", quoted(key)),
                   "Shorten its path or the `prefix`"));
  return {};
}

}  // namespace trainmake
