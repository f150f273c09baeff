#include "engine/base/tree_size.h"

#include <vector>

namespace trainmake {

Result<std::uint64_t> tree_size(FileSystem& files, const std::string& path) {
  std::uint64_t bytes = 0;
  std::vector<std::string> waiting = {path};
  while (!waiting.empty()) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    TRY_ASSIGN(const Stat stat, files.look(at));
    if (stat.is(FileKind::kFile)) bytes += stat.size;
    if (!stat.is(FileKind::kFolder)) continue;
    TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(at));
    for (const FolderEntry& entry : entries) waiting.push_back(path_join(at, entry.name));
  }
  return bytes;
}

Result<std::uint64_t> remove_others(FileSystem& files, const std::string& folder,
                                    const std::function<bool(const std::string&)>& keep) {
  TRY_ASSIGN(const Stat stat, files.look(folder));
  if (!stat.is(FileKind::kFolder)) return std::uint64_t{0};
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(folder));
  std::uint64_t bytes = 0;
  for (const FolderEntry& entry : entries) {
    if (keep(entry.name)) continue;
    const std::string path = path_join(folder, entry.name);
    // A folder may be closed to its owner: it can be removed, and its size not be told.
    const Result<std::uint64_t> size = tree_size(files, path);
    TRY(files.remove(path));
    bytes += size.value_or(0);
  }
  return bytes;
}

}  // namespace trainmake
