#include "engine/container/implied_folders.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/file_system.h"
#include "engine/container/merged.h"
#include "engine/container/unpack.h"

namespace trainmake {
namespace {

class Mending {
 public:
  Mending(const std::vector<UnpackedLayer>& layers, const std::string& folder)
      : layers_(layers), folder_(folder) {
    for (const UnpackedLayer& layer : layers) paths_.push_back(layer.folder);
  }

  // What the topmost layer that lists `path` says of it; nothing when the merged one is that.
  std::optional<struct stat> told_below(const std::string& path) const {
    bool is_top = true;
    for (auto from = paths_.begin(); from != paths_.end();) {
      const std::optional<MergedPath> found = follow_merged({from, paths_.end()}, path);
      if (!found || !found->entry || !found->entry->is_folder() || found->path != path_join("/", path))
        return std::nullopt;
      for (const std::string& part : found->entry->folders) {
        struct stat told {};
        if (!implies(part, path))
          return is_top || lstat(part.c_str(), &told) != 0 ? std::nullopt : std::optional(told);
        is_top = false;
      }
      // Opaque perhaps, which hides what is in it below and not what it is like.
      from = std::find(from, paths_.end(), folder_of(found->entry->folders.back(), path));
      if (from != paths_.end()) ++from;
    }
    return std::nullopt;
  }

  // With those above it, as they are shown.
  Result<void> make(const std::string& path, const struct stat& as) {
    if (const std::string above(path_folder(path)); !above.empty()) {
      struct stat there {};
      if (lstat(path_join(folder_, above).c_str(), &there) != 0) {
        const std::optional<MergedPath> shown = follow_merged(paths_, above);
        if (!shown || !shown->entry) return {};
        TRY(make(above, shown->entry->stat));
      }
    }
    const std::string made = path_join(folder_, path);
    if (mkdir(made.c_str(), 0700) != 0 && errno != EEXIST)
      return fail(system_error("Cannot make", made, errno));
    if ((unpacks_as_root() && chown(made.c_str(), as.st_uid, as.st_gid) != 0) ||
        chmod(made.c_str(), as.st_mode & 07777U) != 0)
      return fail(system_error("Cannot set the mode of", made, errno));
    return {};
  }

 private:
  static std::string folder_of(const std::string& part, const std::string& path) {
    return part.substr(0, part.size() - path.size() - 1);
  }

  bool implies(const std::string& part, const std::string& path) const {
    for (const UnpackedLayer& layer : layers_) {
      if (part == path_join(layer.folder, path)) return layer.implied.contains(path);
    }
    return false;
  }

  const std::vector<UnpackedLayer>& layers_;
  const std::string& folder_;
  std::vector<std::string> paths_;
};

}  // namespace

Result<bool> mend_implied(const std::vector<UnpackedLayer>& layers, const std::string& folder) {
  std::set<std::string> implied;
  for (const UnpackedLayer& layer : layers) implied.insert(layer.implied.begin(), layer.implied.end());
  Mending mending(layers, folder);
  bool made = false;
  for (const std::string& path : implied) {  // those above come first
    const std::optional<struct stat> told = mending.told_below(path);
    if (!told) continue;
    if (!made) TRY(real_file_system().make_folder(folder));
    if (!made && chmod(folder.c_str(), 0755) != 0)
      return fail(system_error("Cannot set the mode of", folder, errno));
    made = true;
    TRY(mending.make(path, *told));
  }
  return made;
}

}  // namespace trainmake
