// Which bucket of which service a store is, as TRAINSPACE.lua says, and the addresses of what lies there.
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "cache/stores/bucket_place.h"
#include "engine/base/error.h"
#include "engine/model/project.h"

namespace trainmake {

// What a service allows, where that differs from AWS.
struct S3Limits {
  // Of a multipart upload; more when there would be too many.
  std::uint64_t part_bytes = std::uint64_t{16} << 20U;
  std::uint64_t most_parts = 10'000;
  std::uint64_t single_bytes = std::uint64_t{64} << 20U;  // a file of no more is one request
  std::uint64_t copied_bytes = std::uint64_t{5} << 30U;   // in one request
  std::uint64_t copied_part_bytes = std::uint64_t{1} << 30U;
  bool fixed_parts = false;  // all but the last are of part_bytes
  bool conditional = true;   // a put may say what it replaces
  bool tags_are_md5 = true;  // of what was put with one request
};

struct S3Place : BucketPlace {
  bool path_style = false;
  S3Limits limits = {};

  // Of a key below the prefix, or of the bucket itself when it is "".
  std::string url(std::string_view key, std::string_view query = "") const;
  std::string copy_source(std::string_view key) const;  // as a header names it
};

// `s3://bucket/prefix`, `path_style` and `conditional` beside what all buckets have.
Result<S3Place> read_s3_place(const Service& service);

}  // namespace trainmake
