#include "engine/base/file_marks.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace trainmake {
namespace {

constexpr mode_t kAllModes = 07777, kAllWrite = 0222, kOwnerWrites = 0200;

Result<void> change_mode(const std::string& path, mode_t without, mode_t with) {
  struct stat stat {};
  if (::lstat(path.c_str(), &stat) != 0) return fail(system_error("Cannot look at", path, errno));
  const mode_t now = stat.st_mode & kAllModes, then = (now & ~without) | with;
  if (S_ISLNK(stat.st_mode) || now == then || ::chmod(path.c_str(), then) == 0) return {};
  return fail(system_error("Cannot set the mode of", path, errno));
}

}  // namespace

Result<void> close_to_writing(const std::string& path) { return change_mode(path, kAllWrite, 0); }

Result<void> open_to_writing(const std::string& path) { return change_mode(path, 0, kOwnerWrites); }

Result<void> set_mtime(const std::string& path, std::int64_t mtime_ns) {
  constexpr std::int64_t kSecond_ns = 1'000'000'000;
  std::int64_t seconds = mtime_ns / kSecond_ns, rest = mtime_ns % kSecond_ns;
  if (rest < 0) seconds -= 1, rest += kSecond_ns;  // before 1970
  const timespec times[2] = {{0, UTIME_OMIT}, {seconds, rest}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0) return {};
  return fail(system_error("Cannot set the time of", path, errno));
}

}  // namespace trainmake
