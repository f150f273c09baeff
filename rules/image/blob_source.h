// Where a registry takes a blob from: a file, or whoever is still making it. Thread rule: one thread takes;
// of a relayed one, another gives.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/base/file_system.h"
#include "rules/image/registry.h"

namespace trainmake {

// A stretch of a blob, given away once.
struct BlobPart {
  std::uint64_t size = 0;
  std::function<Result<std::size_t>(std::span<char> into)> bytes = nullptr;  // as HttpRequest::body_from
};

class BlobSource {
 public:
  virtual ~BlobSource() = default;
  // What it is; nothing as long as that is not known.
  virtual std::optional<BlobRef> whole() = 0;
  // No more than `most` bytes from `offset` on. None is the end, and then it is known what it was. Waits for
  // what is not there yet; an error when what was given before is wanted again and cannot be had.
  virtual Result<BlobPart> part(std::uint64_t offset, std::uint64_t most, const std::stop_token& stop) = 0;
};

// All of a blob, piece by piece.
Result<void> read_blob(BlobSource& blob, const std::stop_token& stop, const ByteSink& each);

class FileBlob final : public BlobSource {
 public:
  // `given` is told how many bytes were given away just now.
  FileBlob(FileSystem& files, BlobRef blob, std::string path,
           std::function<void(std::size_t)> given = nullptr)
      : files_(files), blob_(std::move(blob)), path_(std::move(path)), given_(std::move(given)) {}

  std::optional<BlobRef> whole() override { return blob_; }
  Result<BlobPart> part(std::uint64_t offset, std::uint64_t most, const std::stop_token& stop) override;

 private:
  FileSystem& files_;
  BlobRef blob_;
  std::string path_;
  std::function<void(std::size_t)> given_;
};

// Passed on while it is made. Holds two stretches of it: one that is sent, and sent again when it was cut,
// and one that is made meanwhile.
class RelayedBlob final : public BlobSource {
 public:
  static constexpr std::size_t kStretchBytes = std::size_t{16} << 20U;

  // Waits as long as both stretches are in use. What comes when nobody takes it any more is dropped.
  void add(std::string_view bytes);
  void end(const BlobRef& blob);  // that was all
  void give_up();                 // whoever makes it: there is no more; whoever takes it: wants no more
  void drop();                    // the same, by whoever took it: both stretches are freed

  std::optional<BlobRef> whole() override;
  Result<BlobPart> part(std::uint64_t offset, std::uint64_t most, const std::stop_token& stop) override;

 private:
  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::string made_;  // after `sent_`
  std::string sent_;
  std::uint64_t begin_ = 0;  // of `sent_`
  std::optional<BlobRef> whole_;
  bool given_up_ = false;
};

}  // namespace trainmake
