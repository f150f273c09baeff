// Over fcntl's locks of an open file (F_OFD_SETLK): as with flock they go with the process, but they may be
// of parts of a file, which need not be there.
#include "engine/base/lock_table.h"

#include <fcntl.h>

#include <chrono>
#include <mutex>
#include <set>

#include "engine/base/descriptor.h"
#include "engine/base/hash.h"

namespace trainmake {
namespace {

constexpr std::chrono::milliseconds kLockPause{10};

// Two names at one place would wait for each other, which among 2^62 places nobody sees.
off_t place_of(std::string_view name) { return static_cast<off_t>(digest_of(name).low >> 2U); }

int set_lock(const Descriptor& file, off_t place, short type) {
  struct flock region {};
  region.l_type = type;
  region.l_whence = SEEK_SET;
  region.l_start = place;
  region.l_len = 1;
  return retried([&] { return ::fcntl(file.get(), F_OFD_SETLK, &region); });
}

Descriptor open_table(const std::string& path) {
  return Descriptor(retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); }));
}

}  // namespace

struct LockTable::Inside {
  explicit Inside(std::string at) : path(std::move(at)) {}

  void free(off_t place) {
    const std::lock_guard lock(mutex);
    held.erase(place);
    set_lock(file, place, F_UNLCK);
  }

  const std::string path;
  std::mutex mutex;
  Descriptor file;
  std::set<off_t> held;  // by this process, to which the file's locks give way
};

LockTable::LockTable(std::string path) : inside_(std::make_shared<Inside>(std::move(path))) {}

Result<std::optional<FileLock>> LockTable::try_lock(std::string_view name) {
  Inside& inside = *inside_;
  const std::lock_guard lock(inside.mutex);
  if (!inside.file) inside.file = open_table(inside.path);
  if (!inside.file && errno == ENOENT) {
    TRY(real_file_system().make_folder(std::string(path_folder(inside.path))));
    inside.file = open_table(inside.path);
  }
  if (!inside.file) return fail(system_error("Cannot lock", inside.path, errno));
  const off_t place = place_of(name);
  if (inside.held.contains(place)) return std::nullopt;
  if (set_lock(inside.file, place, F_WRLCK) != 0) {
    if (errno == EAGAIN || errno == EACCES) return std::nullopt;
    return fail(system_error("Cannot lock", inside.path, errno));
  }
  inside.held.insert(place);
  return std::optional(
      FileLock(std::shared_ptr<void>(nullptr, [place, kept = inside_](const void*) { kept->free(place); })));
}

Result<FileLock> LockTable::wait(std::string_view name, Clock& clock, const std::stop_token& stop) {
  while (true) {
    TRY_ASSIGN(std::optional<FileLock> lock, try_lock(name));
    if (lock) return *std::move(lock);
    if (clock.wait(kLockPause, stop)) return fail(interrupted_error());
  }
}

}  // namespace trainmake
