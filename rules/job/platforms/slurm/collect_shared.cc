#include "rules/job/platforms/slurm/collect_shared.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/text.h"
#include "engine/container/unpacked_layers.h"
#include "rules/job/checkpoint.h"
#include "rules/job/note_files.h"
#include "rules/job/platforms/slurm/shared_files.h"
#include "rules/job/platforms/slurm/slurm_run.h"

namespace trainmake {
namespace {

// Without any when it is no folder.
Result<std::vector<FolderEntry>> entries_of(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const Stat stat, files.look(folder));
  if (!stat.is(FileKind::kFolder)) return std::vector<FolderEntry>();
  return files.list(folder);
}

class Collector {
 public:
  Collector(Host& host, std::string top, const std::vector<Run>& runs, const KeepShared& keep)
      : host_(host), files_(host.files), top_(std::move(top)), runs_(runs), keep_(keep) {
    fresh_ns_ = host.clock.now_ns() - std::chrono::nanoseconds(keep.copies).count();
    young_ns_ = host.clock.now_ns() - std::chrono::nanoseconds(keep.young).count();
  }

  Result<Swept> sweep_runs(const std::string& workspace) {
    std::map<std::string, std::size_t> newest;  // the run's place among all
    for (std::size_t i = 0; i < runs_.size(); ++i) newest.emplace(runs_[i].id, i);
    TRY_ASSIGN(const auto entries, entries_of(files_, at("runs", workspace)));
    Swept swept;
    for (const FolderEntry& entry : entries) {
      const SlurmRun run{path_join(at("runs", workspace), entry.name)};
      // One whose end was not remembered may be taken up yet, by whoever has a copy of this memory, too.
      TRY_ASSIGN(const bool settled, is_there(files_, run.settled()));
      if (!settled) continue;
      const auto known = newest.find(entry.name);
      const bool keeps_log = known != newest.end() && known->second < keep_.logs;
      std::set<std::string_view> kept;
      const std::string names[] = {run.log(),     run.exit(), run.ended(),     run.end(),
                                   run.settled(), run.uses(), run.log_folder()};
      for (const std::string& path : names) kept.insert(path_name(path));
      TRY_ASSIGN(const Stat settling, files_.look(run.settled()));
      // A copy of this memory may not have taken it yet.
      if (settling.mtime_ns >= fresh_ns_) continue;
      TRY_ASSIGN(const std::uint64_t bytes, remove_others(files_, run.top, [&](const std::string& name) {
                   return keeps_log && kept.contains(name);
                 }));
      if (!keeps_log) TRY(files_.remove(run.top));
      swept.bytes += bytes;
      if (bytes > 0 || !keeps_log) ++swept.count;
    }
    TRY(sweep_checkpoints(workspace, swept));
    TRY(sweep_arrays(workspace));
    return swept;
  }

  // REQUIRES: nobody places anything.
  Result<Swept> sweep_shared() {
    Swept swept;
    TRY_ASSIGN(const Uses uses, uses_by_runs());
    TRY_ASSIGN(const auto trees, entries_of(files_, at("trees")));
    std::set<std::string> content;
    for (const FolderEntry& entry : trees) {
      const std::string tree = path_join(at("trees"), entry.name);
      TRY_ASSIGN(const bool is_needed, is_needed_by_runs(tree, uses));
      if (!is_needed) TRY(remove(tree, swept));
      if (is_needed && entry.name.starts_with("data-")) TRY(mark_content(tree, content));
    }
    TRY_ASSIGN(const auto folders, entries_of(files_, at("content")));
    for (const FolderEntry& folder : folders) {
      TRY_ASSIGN(const auto names, entries_of(files_, path_join(at("content"), folder.name)));
      for (const FolderEntry& name : names) {
        if (content.contains(name.name)) continue;
        TRY(remove(path_join(path_join(at("content"), folder.name), name.name), swept));
      }
    }
    TRY_ASSIGN(const auto incoming, entries_of(files_, at("incoming")));
    for (const FolderEntry& entry : incoming) TRY(remove(path_join(at("incoming"), entry.name), swept));
    TRY(sweep_for_containers(uses, swept));
    return swept;
  }

 private:
  struct Uses {
    std::set<std::string> in_flight;
    std::map<std::string, std::int64_t> last_ns;  // when a run was given it last
  };

  std::string at(std::string_view what, std::string_view below = "") const {
    return below.empty() ? path_join(top_, what) : path_join(path_join(top_, what), below);
  }

  // Of runs that are over: what was kept when the run ended waits for copies of this memory alone, and else
  // for a next attempt.
  Result<void> sweep_checkpoints(const std::string& workspace, Swept& swept) {
    std::set<std::string> kept;
    for (const Run& run : runs_) {
      if (!checkpoint_left_by(run).empty()) kept.insert(own_checkpoint(run.id));
    }
    const std::string prefix = own_checkpoint("");
    TRY_ASSIGN(const auto entries, entries_of(files_, at("checkpoints", workspace)));
    for (const FolderEntry& entry : entries) {
      if (!entry.name.starts_with(prefix)) continue;
      const std::string name = entry.name.substr(0, entry.name.find('.'));  // beside it lies `NAME.earlier`
      const SlurmRun run{path_join(at("runs", workspace), name.substr(prefix.size()))};
      const std::string folder = path_join(at("checkpoints", workspace), entry.name);
      TRY_ASSIGN(const bool is_run_there, is_there(files_, run.top));
      TRY_ASSIGN(const Stat settled, files_.look(run.settled()));
      if (is_run_there && !settled.exists()) continue;
      TRY_ASSIGN(const Stat stat, files_.look(folder));
      const std::int64_t since_ns = std::max(stat.mtime_ns, settled.exists() ? settled.mtime_ns : 0);
      if (since_ns < (kept.contains(name) ? fresh_ns_ : young_ns_)) TRY(remove(folder, swept));
    }
    return {};
  }

  // What belongs to somebody who does not let us is left to them.
  Result<void> remove(const std::string& path, Swept& swept) {
    const auto bytes = tree_size(files_, path);
    if (!bytes || !files_.remove(path)) return {};
    swept.bytes += *bytes;
    ++swept.count;
    return {};
  }

  // Of all workspaces. One that cannot be read may need anything, so that is an error.
  Result<Uses> uses_by_runs() {
    Uses uses;
    TRY_ASSIGN(const auto workspaces, entries_of(files_, at("runs")));
    for (const FolderEntry& workspace : workspaces) {
      TRY_ASSIGN(const auto runs, entries_of(files_, at("runs", workspace.name)));
      for (const FolderEntry& entry : runs) {
        const SlurmRun run{path_join(at("runs", workspace.name), entry.name)};
        TRY_ASSIGN(const std::string text, text_at(files_, run.uses()));
        TRY_ASSIGN(const bool settled, is_there(files_, run.settled()));
        TRY_ASSIGN(const Stat stat, files_.look(run.uses()));
        for (const std::string& tree : split(text, '\n')) {
          if (!settled) uses.in_flight.insert(tree);
          std::int64_t& last = uses.last_ns[tree];
          last = std::max(last, stat.mtime_ns);
        }
      }
    }
    return uses;
  }

  Result<bool> is_needed_by_runs(const std::string& path, const Uses& uses) {
    const std::string name(path_name(path));
    TRY_ASSIGN(const Stat stat, files_.look(path));
    const auto last = uses.last_ns.find(name);
    const std::int64_t used_ns = last == uses.last_ns.end() ? 0 : last->second;
    return uses.in_flight.contains(name) || std::max(stat.mtime_ns, used_ns) >= young_ns_;
  }

  // Programs, and layers of images as far as they are this user's.
  Result<void> sweep_for_containers(const Uses& uses, Swept& swept) {
    TRY_ASSIGN(const auto programs, entries_of(files_, at("programs")));
    for (const FolderEntry& entry : programs) {
      const std::string program = path_join(at("programs"), entry.name);
      TRY_ASSIGN(const bool is_needed, is_needed_by_runs(program, uses));
      if (!is_needed) TRY(remove(program, swept));
    }
    std::set<Sha256> layers;
    for (const std::string& name : uses.in_flight) {
      if (const std::optional<Sha256> layer = Sha256::parse(name)) layers.insert(*layer);
    }
    const UnpackedLayers unpacked(host_, UnpackedLayers::folder_below(top_));
    TRY_ASSIGN(const Swept old, unpacked.collect(keep_.young, layers));
    swept.count += old.count;
    swept.bytes += old.bytes;
    return {};
  }

  Result<void> mark_content(const std::string& folder, std::set<std::string>& content) {
    TRY_ASSIGN(const auto entries, files_.list(folder));
    for (const FolderEntry& entry : entries) {
      const std::string path = path_join(folder, entry.name);
      TRY_ASSIGN(const Stat stat, files_.look(path));
      if (stat.is(FileKind::kFolder)) {
        TRY(mark_content(path, content));
      } else if (stat.is(FileKind::kLink)) {
        TRY_ASSIGN(const std::string target, files_.read_link(path));
        content.insert(std::string(path_name(target)));
      }
    }
    return {};
  }

  // An array's folder is links to its runs, and goes with the last of them.
  Result<void> sweep_arrays(const std::string& workspace) {
    TRY_ASSIGN(const auto arrays, entries_of(files_, at("arrays", workspace)));
    for (const FolderEntry& entry : arrays) {
      const std::string array = path_join(at("arrays", workspace), entry.name);
      TRY_ASSIGN(const auto links, entries_of(files_, array));
      bool in_use = false;
      for (const FolderEntry& link : links) {
        const auto target = files_.read_link(path_join(array, link.name));
        if (!target) continue;
        const SlurmRun run{*target};
        TRY_ASSIGN(const bool there, is_there(files_, run.top));
        TRY_ASSIGN(const bool settled, is_there(files_, run.settled()));
        in_use = in_use || (there && !settled);
      }
      if (!in_use) TRY(files_.remove(array));
    }
    return {};
  }

  Host& host_;
  FileSystem& files_;
  std::string top_;
  const std::vector<Run>& runs_;
  const KeepShared& keep_;
  std::int64_t fresh_ns_ = 0, young_ns_ = 0;
};

}  // namespace

Result<SharedSwept> collect_shared(Host& host, const Workspace& workspace, const std::string& shared_dir,
                                   const std::vector<Run>& runs, const KeepShared& keep) {
  SharedSwept swept;
  TRY_ASSIGN(const Stat stat, host.files.look(shared_dir, Links::kFollow));
  if (!stat.is(FileKind::kFolder)) return swept;
  Collector collector(host, shared_dir, runs, keep);
  TRY_ASSIGN(const std::string id, text_at(host.files, path_join(workspace.cache, "slurm-id")));
  if (!id.empty()) {
    TRY_ASSIGN(swept.runs, collector.sweep_runs(id));
  }
  TRY_ASSIGN(const std::optional<FileLock> alone,
             host.files.lock(shared_lock(shared_dir), FileLock::Mode::kExclusive));
  swept.is_busy = !alone;
  if (!alone) return swept;
  TRY_ASSIGN(swept.shared, collector.sweep_shared());
  return swept;
}

}  // namespace trainmake
