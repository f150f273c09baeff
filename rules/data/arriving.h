// A file on its way here. What came of it stays when its trainmake ends, however that ends, and the next one
// goes on from there. One at a time is at it. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "cache/blobs.h"
#include "engine/base/host.h"
#include "engine/base/lock_table.h"

namespace trainmake {

inline constexpr std::string_view kArrivingPart = ".part-";  // begins the name of such a file
inline constexpr std::string_view kArrivingLocks = "locks/arriving";

class Arriving {
 public:
  // As far as it came. `waits` hears that somebody else is at it, whom this waits for.
  static Result<Arriving> take_up(Host& host, LockTable& locks, const std::string& path,
                                  const std::stop_token& stop, const std::function<void()>& waits);

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }

  Result<void> append(std::string_view bytes);
  // The first so many of the bytes that came, once more.
  Result<void> read(std::uint64_t count, const std::stop_token& stop,
                    const std::function<Result<void>(std::string_view)>& each) const;
  // All that came is gone.
  Result<void> forget();
  // It ends as a blob, whatever its digest.
  Result<Blobs::Stored> become_blob(Blobs& blobs, const std::stop_token& stop);

 private:
  Arriving(FileSystem& files, FileLock lock, std::string path, std::uint64_t size)
      : files_(&files), lock_(std::move(lock)), path_(std::move(path)), size_(size) {}

  FileSystem* files_;
  FileLock lock_;
  std::string path_;
  std::uint64_t size_;
  std::unique_ptr<FileWriter> writer_;
};

// Removes from that folder what came of files that nobody went on with for a week.
void forget_old_arrivals(Host& host, const std::string& folder);

}  // namespace trainmake
