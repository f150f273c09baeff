#include "engine/cli/collect_garbage.h"

#include <algorithm>
#include <set>

#include "cache/listing.h"
#include "cache/whole_cache.h"
#include "engine/base/text.h"
#include "engine/base/tree_size.h"
#include "engine/container/unpacked_layers.h"
#include "lua/load.h"
#include "rules/all.h"
#include "rules/data/elsewhere.h"
#include "rules/data/external.h"
#include "rules/data/ledgers.h"
#include "rules/data/place.h"
#include "rules/data/split.h"
#include "rules/image/base_lock.h"
#include "rules/image/registries/layout/collect_images.h"
#include "rules/job/checkpoint.h"
#include "rules/job/platforms/local/collect_runs.h"
#include "rules/job/platforms/uai/uai_run.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

struct Collector {
  const GarbageServices& services;
  const KeepOptions& options;
  Removed removed;

  std::string path(std::string_view below) const { return path_join(services.workspace.cache, below); }

  Result<std::vector<Record>> keep_records(const std::vector<Run>& runs) {
    struct Entry {
      Record record;
      bool is_last = false;
    };
    std::vector<Entry> entries;  // by label, the oldest first
    TRY(services.state.each_record([&](const Record& record, bool is_last) {
      entries.push_back({record, is_last});
      entries.back().record.manifest = {};
    }));
    // What a job in flight was given is asked for when it ends.
    const bool in_flight =
        std::any_of(runs.begin(), runs.end(), [](const Run& run) { return !is_over(run.status); });
    const std::int64_t young_ns =
        services.host.clock.now_ns() - std::chrono::nanoseconds(options.young).count();
    std::vector<Record> kept;
    std::size_t of_label = 0;
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      if (kept.empty() || kept.back().label != entry->record.label) of_label = 0;
      const bool keep = entry->is_last || in_flight || entry->record.when_ns >= young_ns ||
                        of_label < options.results_per_label;
      if (keep) {
        ++of_label;
        kept.push_back(std::move(entry->record));
        continue;
      }
      TRY(services.state.forget(entry->record.label, entry->record.fingerprint));
      ++removed.results;
    }
    return kept;
  }

  static void mark_times(const std::optional<ToldCheckpoint>& checkpoint, std::set<Sha256>& marked) {
    if (!checkpoint) return;
    if (const std::optional<Sha256> times = Sha256::parse(checkpoint->times)) marked.insert(*times);
  }

  // A listing's blob, and the blobs of its files.
  Result<void> mark_tree(const Sha256& digest, std::set<Sha256>& marked) {
    if (!marked.insert(digest).second) return {};
    TRY_ASSIGN(const std::optional<std::string> bytes, services.blobs.read(digest));
    const std::optional<Listing> listing = bytes ? decode_listing(*bytes) : std::nullopt;
    if (!listing) return {};
    for (const ListedFile& file : *listing) marked.insert(file.sha256);
    return {};
  }

  Result<std::set<Sha256>> mark_blobs(const std::vector<Record>& records, const std::vector<Run>& runs) {
    std::set<Sha256> marked;
    for (const Record& record : records) {
      for (const Artifact& artifact : record.artifacts) {
        const std::optional<Sha256> digest = Sha256::parse(artifact.sha256);
        if (!digest) continue;
        if (record.label.kind == "job")
          marked.insert(*digest);
        else if (artifact.address.starts_with("blob:"))
          TRY(mark_tree(*digest, marked));
      }
    }
    std::set<std::string_view> results;
    for (const Record& record : records) results.insert(record.run);
    std::set<Label> resumable;
    for (const Run& run : runs) {
      // What a result that is kept was made from: with it the run can be repeated.
      const bool is_kept = results.contains(run.id) || !is_over(run.status);
      for (const std::string& listing : is_kept ? listings_of(run) : std::vector<std::string>()) {
        if (const std::optional<Sha256> digest = Sha256::parse(listing)) TRY(mark_tree(*digest, marked));
      }
      if (is_kept) mark_times(told_resumed(run), marked);
      // The next run of the label goes on from the last checkpoint.
      const std::optional<Sha256> left = Sha256::parse(checkpoint_left_by(run));
      const bool is_last = left && resumable.insert(run.label).second;
      if (is_last) TRY(mark_tree(*left, marked));
      if (is_last) mark_times(told_left(run), marked);
      for (const RunOutput& output : run.outputs) {
        if (const std::optional<Sha256> digest = Sha256::parse(output.sha256)) marked.insert(*digest);
      }
    }
    return marked;
  }

  Result<void> sweep_blobs(const std::set<Sha256>& marked) {
    std::vector<std::pair<Sha256, std::uint64_t>> unmarked;
    TRY(services.blobs.each([&](const Sha256& digest, const Stat& stat) {
      if (!marked.contains(digest)) unmarked.emplace_back(digest, stat.size);
    }));
    for (const auto& [digest, size] : unmarked) {
      TRY(services.blobs.remove(digest));
      ++removed.blobs;
      removed.bytes += size;
    }
    return services.blobs.sweep();
  }

  // What only saves time: proofs, which hold for the state before this alone; locks that nobody can hold now;
  // what is known of files of projects that are gone; of steps that were killed.
  Result<void> sweep_leftovers(const std::vector<Record>& records) {
    for (const char* folder : {"proofs", "locks", "steps"}) {
      TRY_ASSIGN(const std::uint64_t bytes, tree_size(services.host.files, path(folder)));
      TRY(services.host.files.remove(path(folder)));
      removed.bytes += bytes;
    }
    std::set<std::string> indexes;
    for (const Record& record : records) {
      TRY_ASSIGN(const Stat stat,
                 services.host.files.look(path_join(services.workspace.path(record.label.folder), kTrainfile),
                                          Links::kFollow));
      if (stat.exists()) indexes.insert(cat(digest_of(record.label.folder).hex(), ".idx"));
    }
    TRY_ASSIGN(const std::uint64_t bytes,
               remove_others(services.host.files, path("files"),
                             [&](const std::string& name) { return indexes.contains(name); }));
    removed.bytes += bytes;
    // What is known of fetched files that are not kept any more.
    TRY_ASSIGN(const std::uint64_t fetched,
               remove_others(services.host.files, path("fetched"), [&](const std::string& name) {
                 const std::optional<Sha256> digest = Sha256::parse(name);
                 return digest && services.blobs.has(*digest).value_or(true);
               }));
    removed.bytes += fetched;
    TRY_ASSIGN(const std::uint64_t ledgers,
               collect_snapshots(services.host.files, services.workspace.cache, kOfOneContent, kOthersAsked));
    removed.bytes += ledgers;
    // What is known of the parts of files that are not kept any more.
    TRY_ASSIGN(const std::uint64_t split,
               remove_others(services.host.files, path(kSplitFolder), [&](const std::string& name) {
                 const std::string of_one = path_join(path(kSplitFolder), name);
                 return is_split_kept(services.host.files, of_one, services.blobs).value_or(true);
               }));
    removed.bytes += split;
    // Of downloads that were cut short.
    TRY_ASSIGN(const std::uint64_t parts,
               remove_others(services.host.files, path(kListedFolder),
                             [](const std::string& name) { return !name.starts_with(kArrivingPart); }));
    removed.bytes += parts;
    // Of imports that were cut short: nobody imports while gc holds the workspace.
    TRY_ASSIGN(const std::uint64_t imports,
               remove_others(services.host.files, path(""),
                             [](const std::string& name) { return !name.starts_with(kImportFolder); }));
    removed.bytes += imports;
    return {};
  }

  Result<void> sweep_unpacked() {
    const std::string folder = UnpackedLayers::shared_folder(services.host.environment);
    if (folder.empty()) return {};
    TRY_ASSIGN(const Swept swept, UnpackedLayers(services.host, folder).collect(options.unpacked));
    removed.unpacked = swept.count;
    removed.bytes += swept.bytes;
    return {};
  }

  // Of clusters: what lies where their nodes see it.
  Result<void> sweep_shared_folders(const std::vector<Run>& runs) {
    TRY_ASSIGN(ClustersSwept swept, collect_clusters(services.host, services.workspace, services.space, runs,
                                                     options.logs, options.young));
    removed.runs += swept.runs.count;
    removed.shared += swept.shared.count;
    removed.bytes += swept.runs.bytes + swept.shared.bytes;
    removed.busy = std::move(swept.busy);
    return {};
  }

  // What the workspace's images are built on.
  Result<std::vector<Sha256>> pins() {
    std::vector<Sha256> digests;
    TRY_ASSIGN(const std::optional<std::string> text,
               read_file_if_there(services.host.files, services.workspace.path(kLockFile)));
    const Result<BaseLock> lock = text ? parse_lock(*text) : BaseLock();
    if (!lock) return digests;  // a run says what is wrong with it
    for (const auto& [base, pinned] : lock->bases) {
      for (const auto& [architecture, digest] : pinned) digests.push_back(digest);
    }
    return digests;
  }

  Result<Removed> collect() {
    TRY_ASSIGN(const std::vector<Run> runs, services.state.all());
    TRY_ASSIGN(const std::vector<Record> records, keep_records(runs));
    TRY_ASSIGN(const std::set<Sha256> marked, mark_blobs(records, runs));
    TRY(sweep_blobs(marked));
    TRY_ASSIGN(const std::vector<Sha256> pinned, pins());
    TRY_ASSIGN(const Swept images,
               collect_images(services.host.files, services.workspace.cache, records, pinned));
    TRY_ASSIGN(const Swept folders, collect_runs(services.host, services.workspace.cache, runs,
                                                 {options.logs, options.young, UaiRun::notes()}));
    TRY(sweep_shared_folders(runs));
    removed.layers = images.count;
    removed.runs += folders.count;
    removed.bytes += images.bytes + folders.bytes;
    TRY(sweep_leftovers(records));
    TRY(sweep_unpacked());
    TRY(services.state.compact());
    return removed;
  }
};

}  // namespace

Result<Removed> collect_garbage(const GarbageServices& services, const KeepOptions& keep) {
  return Collector{services, keep, {}}.collect();
}

}  // namespace trainmake
