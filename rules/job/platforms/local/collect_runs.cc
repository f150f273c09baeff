#include "rules/job/platforms/local/collect_runs.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/text.h"
#include "rules/job/platforms/local/run_folder.h"

namespace trainmake {
namespace {

enum class What : std::uint8_t { kAll, kLog, kNothing };  // that is kept

// Its job ended well, and what it left may be called by its name yet.
bool is_misnamed(const Run& run) {
  return run.status == RunStatus::kFailed && run.started_ns != 0 && run.exit_code == 0;
}

// `runs`: the newest first.
std::map<std::string, What> what_is_kept(const std::vector<Run>& runs, std::size_t logs,
                                         std::int64_t young_ns) {
  std::map<std::string, What> kept;
  std::set<Label> seen;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    const bool came_to_nothing = run.status == RunStatus::kCancelled || run.status == RunStatus::kLost;
    const bool is_latest = !came_to_nothing && seen.insert(run.label).second;
    const bool may_be_taken = is_latest && is_misnamed(run) && run.ended_ns >= young_ns;
    kept[run.id] = !is_over(run.status) || may_be_taken ? What::kAll : i < logs ? What::kLog : What::kNothing;
  }
  return kept;
}

// Of half of its output nobody must believe that it is all.
Result<std::uint64_t> keep_log(FileSystem& files, const RunFolder& run,
                               const std::vector<std::string>& notes) {
  const std::string going = run.output() + ".going";
  TRY_ASSIGN(const Stat output, files.look(run.output()));
  if (output.exists()) {
    TRY(files.remove(going));
    TRY(files.rename(run.output(), going));
  }
  std::set<std::string_view> wanted(notes.begin(), notes.end());
  const std::string names[] = {run.log(),     run.exit(), run.started(),
                               run.settled(), run.lock(), run.log_folder()};
  for (const std::string& path : names) wanted.insert(path_name(path));
  return remove_others(files, run.top, [&](const std::string& name) { return wanted.contains(name); });
}

Result<std::uint64_t> remove_whole(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const std::uint64_t bytes, tree_size(files, path));
  TRY(files.remove(path));
  return bytes;
}

// When anything below was last written.
Result<std::int64_t> last_written(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const Stat stat, files.look(path));
  std::int64_t latest = stat.mtime_ns;
  if (!stat.is(FileKind::kFolder)) return latest;
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(path));
  for (const FolderEntry& entry : entries) {
    TRY_ASSIGN(const std::int64_t below, last_written(files, path_join(path, entry.name)));
    latest = std::max(latest, below);
  }
  return latest;
}

Result<std::vector<FolderEntry>> entries_of(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const Stat stat, files.look(folder));
  if (!stat.is(FileKind::kFolder)) return std::vector<FolderEntry>();
  return files.list(folder);
}

Result<std::uint64_t> collect_checkpoints(Host& host, const std::string& folder, std::int64_t young_ns) {
  TRY_ASSIGN(const std::vector<FolderEntry> entries, entries_of(host.files, folder));
  std::uint64_t bytes = 0;
  for (const FolderEntry& entry : entries) {
    TRY_ASSIGN(const std::int64_t written, last_written(host.files, path_join(folder, entry.name)));
    if (written >= young_ns) continue;
    TRY_ASSIGN(const std::uint64_t gone, remove_whole(host.files, path_join(folder, entry.name)));
    bytes += gone;
  }
  return bytes;
}

}  // namespace

Result<Swept> collect_runs(Host& host, const std::string& cache_folder, const std::vector<Run>& runs,
                           const KeptOfRuns& keep) {
  const std::int64_t young_ns = host.clock.now_ns() - std::chrono::nanoseconds(keep.young).count();
  const std::map<std::string, What> kept = what_is_kept(runs, keep.logs, young_ns);
  const std::string folder = path_join(cache_folder, "runs");
  TRY_ASSIGN(const std::vector<FolderEntry> entries, entries_of(host.files, folder));
  Swept swept;
  for (const FolderEntry& entry : entries) {
    const RunFolder run{path_join(folder, entry.name)};
    const auto known = kept.find(entry.name);
    What what = known == kept.end() ? What::kAll : known->second;
    if (known ==
        kept.end()) {  // of a memory that was lost: unless its end was remembered, it may be taken up yet
      TRY_ASSIGN(const Stat settled, host.files.look(run.settled()));
      if (settled.exists()) what = What::kNothing;
    }
    if (what == What::kAll) continue;
    TRY_ASSIGN(const std::uint64_t bytes, what == What::kLog ? keep_log(host.files, run, keep.notes)
                                                             : remove_whole(host.files, run.top));
    swept.bytes += bytes;
    if (bytes > 0 || what == What::kNothing) ++swept.count;
  }
  const bool in_flight =
      std::any_of(runs.begin(), runs.end(), [](const Run& run) { return !is_over(run.status); });
  if (in_flight) return swept;
  TRY_ASSIGN(const std::uint64_t bytes,
             collect_checkpoints(host, path_join(cache_folder, "checkpoints"), young_ns));
  swept.bytes += bytes;
  return swept;
}

}  // namespace trainmake
