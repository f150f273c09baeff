#include "cache/stores/s3/s3_place.h"

#include <algorithm>
#include <utility>

#include "engine/base/text.h"
#include "engine/base/url.h"

namespace trainmake {
namespace {

// Tencent's COS and Huawei's OBS take no condition with a put; UCloud's US3 takes parts of 8 MiB, and nothing
// larger in one request, and its ETag is no MD5.
S3Limits limits_of(std::string_view host) {
  S3Limits limits;
  if (host.ends_with("myqcloud.com") || host.ends_with("myhuaweicloud.com")) limits.conditional = false;
  if (host.ends_with("ufileos.com") || host.ends_with("ucloud.cn")) {
    limits.part_bytes = limits.single_bytes = std::uint64_t{8} << 20U;
    limits.fixed_parts = true;
    limits.conditional = false;
    limits.tags_are_md5 = false;
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
  TRY_ASSIGN(BucketPlace common, read_bucket_place(service));
  S3Place place{std::move(common)};
  if (!is_bucket(place.bucket))
    return fail(
        user_error(cat("Store ", quoted(service.name), " names no bucket: ", quoted(*service.text("url"))),
                   "Write it as `s3://my-bucket/some/prefix`: lower case, digits, `-` and `.`, 3 to 63 "
                   "characters")
            .at(service.where));
  place.path_style = service.says_yes("path_style");
  if (!place.service.empty()) place.limits = limits_of(host_of(place.service));
  if (service.attributes.find("conditional") != nullptr)
    place.limits.conditional = service.says_yes("conditional");
  return place;
}

}  // namespace trainmake
