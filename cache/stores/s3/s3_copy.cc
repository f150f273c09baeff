#include "cache/stores/s3/s3_copy.h"

#include "cache/stores/s3/s3_answers.h"
#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "engine/cloud/hmac.h"

namespace trainmake {
namespace {

Result<std::string> md5_of(FileSystem& files, const FileRange& range, const std::stop_token& stop) {
  OldHasher hasher(OldDigest::kMd5);
  TRY(read_range(files, range, stop, [&](std::string_view bytes) { hasher.add(bytes); }));
  return hex_of(hasher.finish());
}

}  // namespace

Result<bool> is_right(const S3Copied& copied, FileSystem& files, S3Client& client,
                      const std::stop_token& stop) {
  if (copied.takes_conditions && is_known_to_heed(copied.answer)) return true;
  const LikeObject& source = copied.source;
  const bool tells = client.place().limits.tags_are_md5;
  // Some keep the tag of what was put in parts.
  if (tells && copied.is_whole && is_s3_digest(copied.tag) && copied.tag == source.tag) return true;
  const std::optional<std::string> md5 = tells && is_plain(copied.answer) ? md5_in(copied.tag) : std::nullopt;
  if (md5 && copied.is_whole && md5_in(source.tag)) return *md5 == md5_in(source.tag);
  if (md5) {
    TRY_ASSIGN(const std::string expected, md5_of(files, copied.range, stop));
    return *md5 == expected;
  }
  TRY_ASSIGN(const HttpResponse there,
             client.send({"HEAD", source.key, ""}, cat("look at ", quoted(source.key)), stop, {404}));
  return there.status < 300 && without_quotes(header_value(there, "etag")) == source.tag;
}

}  // namespace trainmake
