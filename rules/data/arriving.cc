#include "rules/data/arriving.h"

#include <chrono>

#include "engine/base/remove_old.h"

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
  TRY_ASSIGN(const Stat there, host.files.look(path));
  return Arriving(host.files, std::move(lock), path, there.size);
}

Result<void> Arriving::append(std::string_view bytes) {
  if (!writer_) {
    TRY_ASSIGN(writer_, files_->extend(path_));
  }
  size_ += bytes.size();
  return writer_->append(bytes);
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
