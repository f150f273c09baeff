#include "cache/stores/ufile/ufile_place.h"

#include <algorithm>
#include <utility>

#include "engine/base/text.h"

namespace trainmake {
namespace {

std::string_view host_of(std::string_view url) { return url.substr(url.find("://") + 3); }

// Nobody finds a name before a number's dots.
bool is_number(std::string_view host) {
  return host.starts_with('[') ||
         host.substr(0, host.find(':')).find_first_not_of("0123456789.") == host.npos;
}

bool is_word(std::string_view text) {
  return !text.empty() && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

std::string UfilePlace::host() const {
  const std::string_view host = host_of(service);
  return is_number(host) ? cat(bucket, ".", host) : "";
}

std::string UfilePlace::url(std::string_view key, std::string_view query) const {
  const std::string_view there = host_of(service);
  const std::string_view scheme = std::string_view(service).substr(0, service.size() - there.size());
  const std::string all = cat(scheme, is_number(there) ? "" : cat(bucket, "."), there, "/",
                              key.empty() ? "" : encoded_path(object(key)));
  return query.empty() ? all : cat(all, "?", query);
}

std::string UfilePlace::copy_source(std::string_view key) const {
  return cat("/", bucket, "/", encoded_path(object(key)));
}

Result<UfilePlace> read_ufile_place(const Service& service) {
  TRY_ASSIGN(BucketPlace common, read_bucket_place(service));
  UfilePlace place{std::move(common), service.text_or("project_id", ""), service.text_or("api", "")};
  while (place.api.ends_with('/')) place.api.pop_back();
  const auto wrong = [&](const std::string& message, std::string hint) {
    return fail(user_error(cat("Store ", quoted(service.name), message), std::move(hint)).at(service.where));
  };
  if (!is_word(place.bucket) || place.bucket.size() < 3 || place.bucket.size() > 63)
    return wrong(
        cat(" names no bucket: ", quoted(*service.text("url"))),
        "Write it as `ufile://my-bucket/some/prefix`: lower case, digits and `-`, 3 to 63 characters");
  if (place.region.empty() ? place.service.empty() || place.create : !is_word(place.region))
    return wrong(place.region.empty() ? " does not say its `region`"
                                      : cat(" has a `region` that is none: ", quoted(place.region)),
                 "Write it as the bucket's address has it: `region = \"cn-bj\"`");
  if (place.service.empty()) place.service = cat("https://", place.region, ".ufileos.com");
  if (host_of(place.service).find('/') != std::string_view::npos)
    return wrong(cat(" has an `endpoint` with a path: ", quoted(place.service)),
                 "Write it as `http://ufile.cn-north-02.ucloud.cn`, without the bucket");
  return place;
}

}  // namespace trainmake
