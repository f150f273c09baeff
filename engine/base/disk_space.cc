#include "engine/base/disk_space.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::int64_t kXfs = 0x58465342;  // not among linux/magic.h's

}  // namespace

std::optional<std::uint64_t> free_bytes(const std::string& folder) {
  struct statvfs room {};
  if (::statvfs(folder.c_str(), &room) != 0) return std::nullopt;
  return std::uint64_t{room.f_bavail} * room.f_frsize;
}

Result<void> check_room(const std::string& folder, std::uint64_t bytes, const std::string& what) {
  std::string there = folder;
  std::optional<std::uint64_t> room = free_bytes(there);
  while (!room && there.find('/', 1) != there.npos) {
    there = std::string(path_folder(there));
    room = free_bytes(there);
  }
  if (!room || *room >= bytes) return {};
  return fail(step_error(cat("There is no room for ", what, ": at least ", human_bytes(bytes), " in ",
                             quoted(folder), ", and ", human_bytes(*room), " are free there"),
                         "Free some: `trainmake gc` removes what trainmake keeps and nobody needs any more"));
}

bool tells_of_full_disk(const Error& error) {
  return error.message.ends_with(::strerrordesc_np(ENOSPC)) ||
         error.message.ends_with(::strerrordesc_np(EDQUOT));
}

bool shares_copies(const std::string& folder) {
  struct statfs about {};
  if (::statfs(std::string(path_folder(folder)).c_str(), &about) != 0) return false;
  return about.f_type == BTRFS_SUPER_MAGIC || about.f_type == kXfs;
}

}  // namespace trainmake
