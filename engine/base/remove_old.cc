#include "engine/base/remove_old.h"

#include <algorithm>

namespace trainmake {
namespace {

Result<std::int64_t> last_written_ns(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const Stat stat, files.look(path));
  if (!stat.is(FileKind::kFolder)) return stat.mtime_ns;
  std::int64_t last = stat.mtime_ns;
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(path));
  for (const FolderEntry& entry : entries) {
    TRY_ASSIGN(const std::int64_t written, last_written_ns(files, path_join(path, entry.name)));
    last = std::max(last, written);
  }
  return last;
}

}  // namespace

void remove_old(FileSystem& files, Clock& clock, const std::string& folder, std::string_view start,
                std::chrono::hours age) {
  remove_old(files, clock.now_ns(), folder, start, age);
}

void remove_old(FileSystem& files, std::int64_t now_ns, const std::string& folder, std::string_view start,
                std::chrono::hours age) {
  const std::int64_t old_ns = std::chrono::nanoseconds(age).count();
  const Result<Stat> there = files.look(folder);
  if (!there || !there->is(FileKind::kFolder)) return;
  const Result<std::vector<FolderEntry>> entries = files.list(folder);
  if (!entries) return;
  for (const FolderEntry& entry : *entries) {
    if (!entry.name.starts_with(start)) continue;
    const std::string path = path_join(folder, entry.name);
    const Result<std::int64_t> written = last_written_ns(files, path);
    if (written && now_ns - *written > old_ns) (void)files.remove(path);
  }
}

}  // namespace trainmake
