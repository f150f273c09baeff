#include "engine/base/enclose.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "engine/base/descriptor.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

bool write_all(int folder, const char* name, std::string_view text, int flags) {
  const Descriptor file(openat(folder, name, O_WRONLY | O_CLOEXEC | flags, 0600));
  while (file && !text.empty()) {
    const ssize_t count = retried([&] { return write(file.get(), text.data(), text.size()); });
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return static_cast<bool>(file);
}

bool raise_loopback() {
  const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP | IFF_RUNNING;
  return any && ioctl(any.get(), SIOCSIFFLAGS, &loopback) == 0;
}

bool keep_in_memory(const Enclosure& enclosure) {
  const char* at = enclosure.memory.c_str();
  if (mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") != 0) return false;
  const Descriptor folder(open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return false;
  for (const auto& [name, content] : enclosure.files) {
    if (!write_all(folder.get(), name.c_str(), content, O_CREAT | O_EXCL)) return false;
  }
  return true;
}

}  // namespace

int fork_enclosed(const Enclosure& enclosure) {
  unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWCGROUP | SIGCHLD;
  if (geteuid() != 0) flags |= CLONE_NEWUSER;
  if (!enclosure.network) flags |= CLONE_NEWNET;
  return static_cast<int>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
}

Result<void> map_user(int pid, int go) {
  const auto write_map = [&](const char* file, const std::string& text) -> Result<void> {
    const std::string path = cat("/proc/", pid, "/", file);
    if (!write_all(AT_FDCWD, path.c_str(), text, 0)) return fail(system_error("Cannot write", path, errno));
    return {};
  };
  if (geteuid() != 0) {
    TRY(write_map("setgroups", "deny"));
    TRY(write_map("uid_map", cat("0 ", geteuid(), " 1")));
    TRY(write_map("gid_map", cat("0 ", getegid(), " 1")));
  }
  if (write(go, "", 1) != 1) return fail(system_error("Cannot start", "a child", errno));
  return {};
}

bool wait_to_be_mapped(int go) {
  char any = 0;
  return retried([&] { return read(go, &any, 1); }) == 1;
}

const char* enclose(const Enclosure& enclosure) {
  // Else the host would see them. In a chroot that is no mount itself nobody can say so.
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return "keep its mounts to itself, as in a chroot whose root is no mount";
  // These may fail: not every runtime needs them. crun refuses cgroups of two versions at once.
  mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  mount("none", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  if (!enclosure.network && !raise_loopback()) return "raise its loopback";
  if (!enclosure.memory.empty() && !keep_in_memory(enclosure)) return "keep files in memory";
  if (enclosure.overlay.empty()) return nullptr;
  if (chdir(enclosure.layers.c_str()) != 0 ||
      mount("overlay", enclosure.root.c_str(), "overlay", 0, enclosure.overlay.c_str()) != 0)
    return "lay its layers one above the other (overlayfs)";
  return nullptr;
}

bool hand_over(const Enclosure& enclosure) {
  if (enclosure.handed_over.empty()) return true;
  const Descriptor folder(open(enclosure.memory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Descriptor file(openat(folder.get(), enclosure.handed_over.c_str(), O_RDONLY | O_CLOEXEC));
  return file && dup2(file.get(), kHandedOver) == kHandedOver;
}

}  // namespace trainmake
