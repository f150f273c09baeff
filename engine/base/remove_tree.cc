// Every step is relative to an open folder, so that a folder swapped for a link meanwhile cannot lead us out
// of the tree.
#include "engine/base/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <string_view>
#include <vector>

#include "engine/base/descriptor.h"
#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {

namespace {

Result<void> remove_at(int folder, const std::string& name, const std::string& path);

Descriptor open_folder_at(int folder, const std::string& name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  return Descriptor(retried([&] { return ::openat(folder, name.c_str(), kFlags); }));
}

// Opens it even when its owner had taken away his own permissions.
Descriptor open_to_empty(int folder, const std::string& name) {
  Descriptor opened = open_folder_at(folder, name);
  if (!opened && errno == EACCES && ::fchmodat(folder, name.c_str(), 0700, 0) == 0) {
    opened = open_folder_at(folder, name);
  }
  return opened;
}

Result<void> empty_folder(Descriptor folder, const std::string& path) {
  std::vector<std::string> names;
  {
    Descriptor copy(::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0));
    const std::unique_ptr<DIR, int (*)(DIR*)> reading(copy ? ::fdopendir(copy.get()) : nullptr, ::closedir);
    if (!reading) return fail(system_error("Cannot list", path, errno));
    copy.release();
    errno = 0;
    while (const dirent* entry = ::readdir(reading.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    if (errno != 0) return fail(system_error("Cannot list", path, errno));
  }
  for (const std::string& name : names) TRY(remove_at(folder.get(), name, path_join(path, name)));
  return {};
}

// unlink, and once more after the folder around it was made writable. 0 or errno.
int unlink_at(int folder, const std::string& name, int flags) {
  if (::unlinkat(folder, name.c_str(), flags) == 0) return 0;
  if (errno != EACCES || folder == AT_FDCWD) return errno;
  if (::fchmod(folder, 0700) != 0) return EACCES;
  return ::unlinkat(folder, name.c_str(), flags) == 0 ? 0 : errno;
}

Result<void> remove_at(int folder, const std::string& name, const std::string& path) {
  int error = unlink_at(folder, name, 0);
  if (error == EISDIR) {
    Descriptor inside = open_to_empty(folder, name);
    if (!inside) {
      if (errno == ENOENT) return {};
      return fail(system_error("Cannot remove", path, errno));
    }
    TRY(empty_folder(std::move(inside), path));
    error = unlink_at(folder, name, AT_REMOVEDIR);
  }
  if (error == 0 || error == ENOENT || error == ENOTDIR) return {};
  return fail(system_error("Cannot remove", path, error));
}

}  // namespace

Result<void> remove_tree(const std::string& path) {
  std::string_view bare = path;
  while (bare.ends_with('/')) bare.remove_suffix(1);
  const std::string_view name = path_name(bare);
  if (name.empty() || name == "." || name == "..") {
    return fail(
        user_error(cat("Refusing to remove ", quoted(path)), "Name a file or a folder below another"));
  }
  return remove_at(AT_FDCWD, std::string(bare), path);
}

}  // namespace trainmake
