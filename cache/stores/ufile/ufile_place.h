// Which bucket of UCloud's object store a store is, as TRAINSPACE.lua says, and the addresses of what lies
// there. Pure.
#pragma once

#include <string>
#include <string_view>

#include "cache/stores/bucket_place.h"
#include "engine/base/error.h"
#include "engine/model/project.h"

namespace trainmake {

struct UfilePlace : BucketPlace {
  std::string project;  // that a bucket is made in; "" is the account's own
  std::string api;      // of UCloud, which makes it; "" is the account's own

  // Of a key below the prefix, or of the bucket itself when it is "".
  std::string url(std::string_view key, std::string_view query = "") const;
  // What a request says that it is for, where the address does not: `bucket.127.0.0.1:8000`; else "".
  std::string host() const;
  std::string copy_source(std::string_view key) const;  // as a header names it
};

// `ufile://bucket/prefix`, `project_id`, `api`, and what all buckets have.
Result<UfilePlace> read_ufile_place(const Service& service);

}  // namespace trainmake
