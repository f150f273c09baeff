// What a service copied inside a bucket, held against what it was to copy: some ignore the condition, and
// somebody else may have put another object there.
#pragma once

#include <stop_token>
#include <string>

#include "cache/stores/file_range.h"
#include "cache/stores/s3/s3_client.h"
#include "cache/stores/store.h"
#include "engine/base/host.h"

namespace trainmake {

struct S3Copied {
  const LikeObject& source;
  FileRange range;  // of a file, with the same bytes
  bool is_whole;    // all of the source; else a range of it
  const HttpResponse& answer;
  std::string tag;
  bool takes_conditions;  // the service, as far as we know
};

// Whether it is of those bytes: by the word of a service that takes conditions and is known for that, else
// by its tag, where that is an MD5, else by a look at the source.
Result<bool> is_right(const S3Copied& copied, FileSystem& files, S3Client& client,
                      const std::stop_token& stop);

}  // namespace trainmake
