#include "engine/base/working_folder.h"

#include "engine/base/child.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kAlive = ".alive";  // beside the folder, locked by its owner

Result<void> sweep(FileSystem& files, const std::string& above) {
  TRY_ASSIGN(const Stat there, files.look(above));
  if (!there.is(FileKind::kFolder)) return {};
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(above));
  for (const FolderEntry& entry : entries) {
    if (!entry.name.ends_with(kAlive)) continue;
    const std::string lock = path_join(above, entry.name);
    TRY_ASSIGN(const std::optional<FileLock> dead, files.lock(lock, FileLock::Mode::kExclusive));
    if (!dead) continue;
    TRY(files.remove(lock.substr(0, lock.size() - kAlive.size())));
    TRY(files.remove(lock));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<WorkingFolder>> WorkingFolder::make(Host& host, const std::string& above) {
  TRY(sweep(host.files, above));
  for (;;) {
    const std::string path = path_join(above, cat(process_id(), "-", host.clock.steady_ns()));
    TRY_ASSIGN(std::optional<FileLock> alive, host.files.lock(cat(path, kAlive), FileLock::Mode::kExclusive));
    // Who sweeps at this moment may take it for that of one who died.
    if (alive) return std::unique_ptr<WorkingFolder>(new WorkingFolder(host.files, path, *std::move(alive)));
  }
}

WorkingFolder::WorkingFolder(FileSystem& files, const std::string& path, FileLock alive)
    : alive_(std::move(alive)), lock_file_(files, cat(path, kAlive)), folder_(files, path) {}

}  // namespace trainmake
