// What a service copied inside a bucket, held against what it was to copy: some ignore the condition, and
// somebody else may have put another object there. Asks for nothing more where the copy's own tag tells.
// Thread rule: used by one thread; has one of its own.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "cache/stores/file_range.h"
#include "cache/stores/s3/s3_client.h"
#include "cache/stores/store.h"
#include "engine/base/host.h"

namespace trainmake {

class S3Copy {
 public:
  enum class Of : std::uint8_t { kWhole, kRange };
  // The copy that is about to be asked for: of `source`, all of it or a range, and the same bytes as that
  // range of a file. Borrows all but the last. Their MD5 is taken while the service copies, unless the tag of
  // the source is it.
  S3Copy(FileSystem& files, S3Client& client, const LikeObject& source, Of of, FileRange range);

  // Whether it is of those bytes, by the tag that it was answered with. Where that is no MD5: by the word of
  // a service that takes conditions and is known for that, else by a look at the source.
  Result<bool> is_right(const HttpResponse& answer, const std::string& tag, bool takes_conditions,
                        const std::stop_token& stop);

 private:
  Result<std::string> md5(const std::stop_token& stop);

  S3Client& client_;
  const LikeObject& source_;
  const Of of_;
  Result<std::string> md5_ = std::string();
  std::jthread digesting_;  // the last: it ends before the others
};

}  // namespace trainmake
