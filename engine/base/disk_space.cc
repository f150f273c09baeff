#include "engine/base/disk_space.h"

#include <sys/statvfs.h>

namespace trainmake {

std::optional<std::uint64_t> free_bytes(const std::string& folder) {
  struct statvfs room {};
  if (::statvfs(folder.c_str(), &room) != 0) return std::nullopt;
  return std::uint64_t{room.f_bavail} * room.f_frsize;
}

}  // namespace trainmake
