#include "engine/base/move_watch.h"

#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace trainmake {
namespace {

constexpr std::int64_t kXfs = 0x58465342, kZfs = 0x2fc12fc1;  // not among linux/magic.h's
constexpr std::array<std::int64_t, 7> kOfThisMachine = {
    EXT4_SUPER_MAGIC, kXfs, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, kZfs};

bool is_of_this_machine(const std::string& folder) {
  struct statfs about {};
  if (::statfs(folder.c_str(), &about) != 0) return false;
  return std::find(kOfThisMachine.begin(), kOfThisMachine.end(), about.f_type) != kOfThisMachine.end();
}

}  // namespace

MoveWatch::MoveWatch() : descriptor_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

void MoveWatch::add(const std::string& folder) {
  if (!descriptor_ || !is_of_this_machine(folder)) return;
  const int number = ::inotify_add_watch(descriptor_.get(), folder.c_str(), IN_MOVE_SELF | IN_ONLYDIR);
  if (number < 0) return;
  folders_[folder] = number;
  told_.try_emplace(number, Told::kStayed);
}

MoveWatch::Told MoveWatch::told_of(const std::string& folder) {
  const auto watched = folders_.find(folder);
  if (watched == folders_.end()) return Told::kNotKnown;
  hear();
  const Told told = told_.at(watched->second);
  return has_missed_ && told == Told::kStayed ? Told::kNotKnown : told;
}

void MoveWatch::hear() {
  std::array<char, 4096> bytes;
  for (;;) {
    const ssize_t count = retried([&] { return ::read(descriptor_.get(), bytes.data(), bytes.size()); });
    if (count <= 0) {
      has_missed_ = has_missed_ || (count < 0 && errno != EAGAIN);
      return;
    }
    for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
      inotify_event event;
      std::memcpy(&event, bytes.data() + at, sizeof event);
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) has_missed_ = true;
      const auto told = told_.find(event.wd);
      if (told == told_.end()) continue;
      if ((event.mask & IN_MOVE_SELF) != 0) told->second = Told::kMoved;
      // It was removed, or what it lies on was.
      if ((event.mask & IN_IGNORED) != 0 && told->second == Told::kStayed) told->second = Told::kNotKnown;
    }
  }
}

}  // namespace trainmake
