// Which bucket of which service a store is, as TRAINSPACE.lua says, and the addresses of what lies there.
// Pure.
#pragma once

#include <string>
#include <string_view>

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
};

struct S3Place {
  std::string name;     // of the store, for errors
  std::string service;  // `https://s3.us-east-1.amazonaws.com`, without a bucket
  std::string bucket;
  std::string prefix;   // "" or without slashes at its ends
  std::string region;   // "" is what the account says, or else us-east-1
  std::string profile;  // of ~/.aws; "" is the usual one
  bool path_style = false;
  bool create = false;
  unsigned requests = 32;       // at once
  std::uint64_t bandwidth = 0;  // bytes a second that are sent; 0 is all that goes
  S3Limits limits = {};

  // Of a key below the prefix, or of the bucket itself when it is "".
  std::string url(std::string_view key, std::string_view query = "") const;
  std::string object(std::string_view key) const;       // the key in the bucket
  std::string copy_source(std::string_view key) const;  // as a header names it
};

// `s3://bucket/prefix`, and `endpoint`, `region`, `path_style`, `profile`, `create`, `requests`, `bandwidth`.
Result<S3Place> read_s3_place(const Service& service);

}  // namespace trainmake
