// One large file as one object: in parts, several on their way at once, and visible when all of them are
// there. Ranges that an earlier object has are taken over by the service. What is done is noted, so that an
// upload that was cut goes on where it was. Thread rule: used by one thread; notes come from several.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/stores/s3/s3_client.h"
#include "cache/stores/store.h"
#include "engine/base/host.h"

namespace trainmake {

// As metadata of an object: the content that was put, as FileDigests computes it.
inline constexpr const char* kContentHeader = "x-amz-meta-trainmake";

// One part: sent, or taken over from an earlier object.
struct UploadPart {
  std::uint64_t offset = 0, size = 0;
  bool copied = false;
};
// `same` says of each of its chunks whether an earlier object has it, and may be empty.
std::vector<UploadPart> plan_parts(std::uint64_t size, const std::vector<bool>& same, const S3Limits& limits);

// The SHA-256 of a piece of a file, and the digests of its chunks; `offset` is where a chunk begins.
struct DigestedPiece {
  FilePiece piece;
  std::vector<Digest128> chunks;
};
Result<DigestedPiece> digest_piece(FileSystem& files, const std::string& path, std::uint64_t offset,
                                   std::uint64_t size, const std::stop_token& stop);

class S3Upload {
 public:
  // Borrows all of them. `make_bucket` is called when there is none and one may be made.
  S3Upload(FileSystem& files, S3Client& client, const FileToPut& file, std::uint64_t size,
           std::function<Result<void>()> make_bucket, bool takes_conditions);
  Result<PutFile> run(const std::stop_token& stop);
  // Ends what the notes say is under way.
  static void give_up(S3Client& client, const std::string& key, const std::vector<std::string>& notes);

 private:
  Result<void> compare(const std::stop_token& stop);
  Result<void> begin(const std::stop_token& stop);
  void take_up();
  Result<std::string> attempt(const std::stop_token& stop);
  void start_over();
  Result<void> send_parts(const std::stop_token& stop);
  Result<void> send_part(std::size_t number, const std::stop_token& stop);
  Result<void> copy_part(std::size_t number, const std::stop_token& stop);
  Result<std::string> complete(const std::stop_token& stop);
  void finish_part(std::size_t number, std::string tag, std::span<const Digest128> digests);
  void abandon();
  std::string what() const;
  std::string doing() const;

  enum class Again : std::uint8_t { kNo, kUploadGone, kNothingLike };

  FileSystem& files_;
  S3Client& client_;
  const FileToPut& file_;
  std::uint64_t size_;
  std::function<Result<void>()> make_bucket_;
  const bool takes_conditions_;
  bool takes_over_ = false;
  std::string id_;
  bool is_resumed_ = false;
  bool was_refused_ = false;               // its parts were, once
  std::atomic<Again> again_ = Again::kNo;  // why another attempt would come right
  std::vector<UploadPart> parts_;
  std::vector<Digest128> chunks_;  // of the file
  std::mutex mutex_;               // guards what follows
  std::vector<std::string> tags_;  // of finished parts
  std::size_t next_ = 0;
  std::uint64_t sent_ = 0;
  std::optional<Error> error_;
};

}  // namespace trainmake
