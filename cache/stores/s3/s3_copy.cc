#include "cache/stores/s3/s3_copy.h"

#include <utility>

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

S3Copy::S3Copy(FileSystem& files, S3Client& client, const LikeObject& source, Of of, FileRange range)
    : client_(client), source_(source), of_(of) {
  if (!client.place().limits.tags_are_md5) return;
  const std::optional<std::string> known = of == Of::kWhole ? md5_in(source.tag) : std::nullopt;
  if (known)
    md5_ = *known;
  else
    digesting_ = std::jthread([this, &files, range = std::move(range)](const std::stop_token& stop) {
      md5_ = md5_of(files, range, stop);
    });
}

Result<std::string> S3Copy::md5(const std::stop_token& stop) {
  const std::stop_callback on_stop(stop, [this] { digesting_.request_stop(); });
  if (digesting_.joinable()) digesting_.join();
  return md5_;
}

Result<bool> S3Copy::is_right(const HttpResponse& answer, const std::string& tag, bool takes_conditions,
                              const std::stop_token& stop) {
  const bool tells = client_.place().limits.tags_are_md5;
  // Some keep the tag of what was put in parts.
  if (tells && of_ == Of::kWhole && is_s3_digest(tag) && tag == source_.tag) return true;
  const std::optional<std::string> copied = tells && is_plain(answer) ? md5_in(tag) : std::nullopt;
  if (copied) {
    TRY_ASSIGN(const std::string expected, md5(stop));
    return *copied == expected;
  }
  if (takes_conditions && is_known_to_heed(answer)) return true;
  TRY_ASSIGN(const HttpResponse there,
             client_.send({"HEAD", source_.key, ""}, cat("look at ", quoted(source_.key)), stop, {404}));
  return there.status < 300 && without_quotes(header_value(there, "etag")) == source_.tag;
}

}  // namespace trainmake
