// What TRAINSPACE.lua says alike of every store that is a bucket, whose service it may be: its name and
// prefix, where it is, and how much may be asked of it at once. Pure.
#pragma once

#include <string>
#include <string_view>

#include "cache/stores/sender.h"
#include "engine/base/error.h"
#include "engine/model/project.h"

namespace trainmake {

struct BucketPlace {
  std::string name;     // of the store, for errors
  std::string service;  // `https://s3.example.com`, without a bucket; "" is the cloud's own
  std::string bucket;
  std::string prefix;   // "" or without slashes at its ends
  std::string region;   // "" is not said
  std::string profile;  // of the files that the cloud's own tools keep keys in; "" is the usual one
  bool create = false;
  SendLimits sends = {};

  std::string object(std::string_view key) const;  // the key in the bucket
};

// `SCHEME://bucket/prefix`, and `endpoint`, `region`, `profile`, `create`, `requests`, `bandwidth`. What a
// bucket may be called is the room's to know.
Result<BucketPlace> read_bucket_place(const Service& service);

// A key as a path: each of its folders' names encoded for itself.
std::string encoded_path(std::string_view key);

// What cannot be a key below a prefix: not plain, no UTF-8, or longer than `longest` bytes with it.
Result<void> check_key(const BucketPlace& place, const std::string& key, std::size_t longest);

}  // namespace trainmake
