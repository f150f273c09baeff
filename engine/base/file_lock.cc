#include "engine/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <chrono>

#include "engine/base/descriptor.h"

namespace trainmake {

namespace {

constexpr std::chrono::milliseconds kLockPause{10};

Descriptor open_lock(const std::string& path, FileLock::Mode mode) {
  Descriptor opened(retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); }));
  if (!opened && mode == FileLock::Mode::kShared && (errno == EACCES || errno == EROFS)) {
    return Descriptor(retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  }
  return opened;
}

}  // namespace

Result<std::optional<FileLock>> try_lock(const std::string& path, FileLock::Mode mode) {
  Descriptor opened = open_lock(path, mode);
  if (!opened && errno == ENOENT) {
    TRY(real_file_system().make_folder(std::string(path_folder(path))));
    opened = open_lock(path, mode);
  }
  if (!opened) return fail(system_error("Cannot lock", path, errno));
  const int how = (mode == FileLock::Mode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  if (retried([&] { return ::flock(opened.get(), how); }) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    return fail(system_error("Cannot lock", path, errno));
  }
  return std::optional<FileLock>(FileLock(std::make_shared<Descriptor>(std::move(opened))));
}

Result<std::optional<FileLock>> wait_for_lock(const Host& host, const std::string& path, FileLock::Mode mode,
                                              const LockWait& wait) {
  for (bool told = false;; told = true) {
    TRY_ASSIGN(std::optional<FileLock> lock, host.files.lock(path, mode));
    if (lock || !wait.may_wait) return lock;
    if (!told && wait.on_wait) wait.on_wait();
    if (host.clock.wait(kLockPause, wait.stop)) return fail(interrupted_error());
  }
}

}  // namespace trainmake
