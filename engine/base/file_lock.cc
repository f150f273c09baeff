// FileLock over flock(2): it belongs to the open file, so it goes with the process however that ends.
#include <fcntl.h>
#include <sys/file.h>

#include "engine/base/descriptor.h"
#include "engine/base/file_system.h"

namespace trainmake {

namespace {

Descriptor open_lock(const std::string& path, FileLock::Mode mode) {
  Descriptor opened(retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); }));
  if (!opened && mode == FileLock::Mode::kShared && (errno == EACCES || errno == EROFS)) {
    return Descriptor(retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  }
  return opened;
}

}  // namespace

Result<std::optional<FileLock>> FileLock::try_lock(const std::string& path, Mode mode) {
  Descriptor opened = open_lock(path, mode);
  if (!opened && errno == ENOENT) {
    TRY(real_file_system().make_folder(std::string(path_folder(path))));
    opened = open_lock(path, mode);
  }
  if (!opened) return fail(system_error("Cannot lock", path, errno));
  const int how = (mode == Mode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  if (retried([&] { return ::flock(opened.get(), how); }) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    return fail(system_error("Cannot lock", path, errno));
  }
  return std::optional<FileLock>(FileLock(opened.release()));
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace trainmake
