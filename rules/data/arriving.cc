#include "rules/data/arriving.h"

#include <chrono>

#include "engine/base/disk_space.h"
#include "engine/base/remove_old.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::chrono::hours kKept{24 * 7};  // what nobody goes on with

Result<FileLock> lock_alone(Host& host, LockTable& locks, const std::string& path,
                            const std::stop_token& stop, const std::function<void()>& waits) {
  TRY_ASSIGN(std::optional<FileLock> lock, locks.try_lock(path));
  if (lock) return *std::move(lock);
  waits();
  return locks.wait(path, host.clock, stop);
}

}  // namespace

Result<Arriving> Arriving::take_up(Host& host, LockTable& locks, const std::string& path,
                                   const std::stop_token& stop, const std::function<void()>& waits) {
  TRY_ASSIGN(FileLock lock, lock_alone(host, locks, path, stop, waits));
  TRY_ASSIGN(Stat there, host.files.look(path));
  constexpr std::uint32_t kOwnerWrites = 0200;
  if (there.exists() && (there.mode & kOwnerWrites) == 0) {  // cut while it became a blob
    TRY(host.files.remove(path));
    there = {};
  }
  return Arriving(host.files, std::move(lock), path, there.size);
}

Result<void> Arriving::append(std::string_view bytes) {
  if (!writer_) {
    TRY_ASSIGN(writer_, files_->extend(path_));
  }
  Result<void> written = writer_->append(bytes);
  if (written) {
    size_ += bytes.size();
    return {};
  }
  // What was written of these bytes, nobody knows.
  writer_.reset();
  TRY_ASSIGN(const Stat there, files_->look(path_));
  size_ = there.size;
  Error error = std::move(written).error();
  if (tells_of_full_disk(error))
    error.hint = cat(human_bytes(size_),
                     " of it lie there, and it goes on from there: free some space and run it again; ",
                     "`trainmake gc` removes what came of it, and whatever else nobody needs");
  return fail(std::move(error));
}

Result<Blobs::Stored> Arriving::become_blob(Blobs& blobs, const std::stop_token& stop) {
  writer_.reset();
  return blobs.take_in(path_, stop);
}

Result<void> Arriving::read(std::uint64_t count, const std::stop_token& stop,
                            const std::function<Result<void>(std::string_view)>& each) const {
  if (count == 0) return {};
  return read_pieces(*files_, path_, stop, [&](std::string_view bytes) -> Result<void> {
    bytes = bytes.substr(0, count);
    count -= bytes.size();
    return bytes.empty() ? Result<void>() : each(bytes);
  });
}

Result<void> Arriving::forget() {
  writer_.reset();
  size_ = 0;
  return files_->remove(path_);
}

void forget_old_arrivals(Host& host, const std::string& folder) {
  remove_old(host.files, host.clock, folder, kArrivingPart, kKept);
}

}  // namespace trainmake
