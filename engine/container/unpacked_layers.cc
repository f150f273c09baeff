#include "engine/container/unpacked_layers.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>

#include "engine/base/child.h"
#include "engine/base/file_lock.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"

namespace trainmake {
namespace {

constexpr unsigned kLooksAtOnce = 16;

// Beside the folder of a layer.
constexpr std::string_view kLock = ".lock";  // held by whoever uses it
constexpr std::string_view kMaking =
    ".making";                               // held by whoever unpacks it, who waits for nothing meanwhile
constexpr std::string_view kUsed = ".used";  // as old as its last use
constexpr std::string_view kNew = ".new";    // being unpacked
constexpr std::string_view kOld = ".old";    // was replaced, and may be in use
constexpr std::string_view kFacts =
    ".facts";  // what it looked like, and which folders it implies, a zero byte behind each

struct FolderLook {
  std::vector<FolderEntry> entries;
  std::vector<Stat> stats;  // theirs
};

bool look_in(FileSystem& files, const std::string& folder, FolderLook& look) {
  Result<std::vector<FolderEntry>> entries = files.list(folder);
  if (!entries) return false;
  look.entries = *std::move(entries);
  std::vector<std::string_view> names;
  for (const FolderEntry& entry : look.entries) names.push_back(entry.name);
  look.stats.resize(names.size());
  return files.look_at_all(folder, names, look.stats).has_value();
}

}  // namespace

std::string UnpackedLayers::shared_folder(const Environment& environment) {
  std::string cache = environment.get("XDG_CACHE_HOME").value_or("");
  if (!cache.starts_with('/')) {
    const std::string home = environment.get("HOME").value_or("");
    if (!home.starts_with('/')) return "";
    cache = path_join(home, ".cache");
  }
  return path_join(cache, unpacks_as_root() ? "trainmake/layers" : "trainmake/layers-user");
}

std::string UnpackedLayers::folder_below(const std::string& shared) {
  return path_join(shared, cat("images-", geteuid(), "/layers"));
}

std::string UnpackedLayers::path(const Sha256& diff_id, std::string_view ending) const {
  return path_join(folder_, cat(diff_id.hex(), ending));
}

// Whatever lies in the layer's place. A container may still run on it.
Result<void> UnpackedLayers::put_aside(const Sha256& diff_id) const {
  TRY_ASSIGN(const Stat there, host_.files.look(path(diff_id)));
  if (!there.exists()) return {};
  if (!there.is(FileKind::kFolder)) return host_.files.remove(path(diff_id));
  return host_.files.rename(path(diff_id),
                            path(diff_id, cat(kOld, ".", process_id(), ".", host_.clock.steady_ns())));
}

Result<void> UnpackedLayers::unpack(const Sha256& diff_id, const std::string& blob,
                                    const std::stop_token& stop) const {
  const std::string unfinished = path(diff_id, kNew);
  TRY(host_.files.remove(unfinished));  // of one that was killed
  TRY(host_.files.make_folder(unfinished));
  if (chmod(unfinished.c_str(), 0755) != 0 || (unpacks_as_root() && chown(unfinished.c_str(), 0, 0) != 0))
    return fail(system_error("Cannot make", unfinished, errno));
  const auto fill = [&]() -> Result<void> {
    TRY_ASSIGN(const std::unique_ptr<FileReader> reader, host_.files.open(blob));
    TRY_ASSIGN(const UnpackedTar found, unpack_layer(*reader, unfinished, limits_, stop));
    if (found.diff_id != diff_id)
      return fail(step_error(cat("The layer sha256:", diff_id.hex(), " is sha256:", found.diff_id.hex(),
                                 " once it is decompressed: the image's config and its layers do not agree"))
                      .because(Blame::kRemote));
    std::string facts = look_of(unfinished);
    facts.push_back('\0');
    for (const std::string& folder : found.implied) facts.append(folder).push_back('\0');
    TRY(put_aside(diff_id));
    TRY(write_file(host_.files, path(diff_id, kFacts), facts));
    TRY(host_.files.sync_disk(unfinished));
    return host_.files.rename(unfinished, path(diff_id));
  };
  Result<void> filled = fill();
  if (!filled) (void)host_.files.remove(unfinished);
  return filled;
}

// Of everything in `folder`: changed when somebody changed it. "" when that cannot be told, as of folders
// that nobody may enter. Folders are looked at several at once, for each may be a question over a network.
std::string UnpackedLayers::look_of(const std::string& folder) const {
  std::map<std::string, FolderLook> looks;
  std::vector<std::string> level = {""};
  while (!level.empty()) {
    std::vector<FolderLook> found(level.size());
    std::atomic<bool> failed = false;
    parallel_for(level.size(), 1, kLooksAtOnce, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end && !failed; ++i) {
        if (!look_in(host_.files, path_join(folder, level[i]), found[i])) failed = true;
      }
    });
    if (failed) return "";
    std::vector<std::string> below;
    for (std::size_t i = 0; i < level.size(); ++i) {
      for (std::size_t entry = 0; entry < found[i].stats.size(); ++entry) {
        if (found[i].stats[entry].is(FileKind::kFolder))
          below.push_back(path_join(level[i], found[i].entries[entry].name));
      }
      looks.emplace(level[i], std::move(found[i]));
    }
    level = std::move(below);
  }
  Hasher hasher;
  std::vector<std::string> waiting = {""};
  while (!waiting.empty()) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    const FolderLook& look = looks.at(at);
    for (std::size_t i = 0; i < look.stats.size(); ++i) {
      const Stat& stat = look.stats[i];
      const std::string path = path_join(at, look.entries[i].name);
      hasher.field(path).number(static_cast<std::uint64_t>(stat.kind)).number(stat.mode);
      if (stat.is(FileKind::kFolder)) {
        waiting.push_back(path);
      } else {
        hasher.number(stat.size).number(static_cast<std::uint64_t>(stat.mtime_ns));
        hasher.number(static_cast<std::uint64_t>(stat.ctime_ns)).number(stat.inode);
      }
    }
  }
  return hasher.finish().hex();
}

// The folders that it implies; nothing when it is not there or, looked at as a whole, not what was unpacked.
Result<std::optional<std::set<std::string>>> UnpackedLayers::implied(const Sha256& diff_id,
                                                                     Trust trust) const {
  using Folders = std::optional<std::set<std::string>>;
  TRY_ASSIGN(const Stat there, host_.files.look(path(diff_id)));
  if (!there.is(FileKind::kFolder)) return Folders();
  TRY_ASSIGN(const std::optional<std::string> facts, read_file_if_there(host_.files, path(diff_id, kFacts)));
  if (!facts) return Folders();
  const std::vector<std::string> parts = split(*facts, '\0');
  if (parts.empty()) return Folders();
  if (trust == Trust::kVerify && parts.front() != look_of(path(diff_id))) return Folders();
  Folders found(std::in_place, parts.begin() + 1, parts.end());
  found->erase("");
  return found;
}

Result<UnpackedLayer> UnpackedLayers::take(const Sha256& diff_id,
                                           const std::function<Result<std::string>()>& blob,
                                           const std::stop_token& stop, Trust trust) const {
  TRY(host_.files.make_folder(folder_));
  // Programs that run as whom they belong to lie there.
  if (chmod(folder_.c_str(), 0700) != 0) return fail(system_error("Cannot set the mode of", folder_, errno));
  const std::string lock = path(diff_id, kLock);
  for (;;) {
    TRY_ASSIGN(std::optional<FileLock> shared, wait_for_lock(host_, lock, FileLock::Mode::kShared, {stop}));
    TRY_ASSIGN(auto there, implied(diff_id, trust));
    if (there) {
      TRY(write_file(host_.files, path(diff_id, kUsed), ""));
      return UnpackedLayer{path(diff_id), *std::move(there), *std::move(shared)};
    }
    shared.reset();
    TRY_ASSIGN(const std::string file, blob());
    TRY_ASSIGN(const std::optional<FileLock> making,
               wait_for_lock(host_, path(diff_id, kMaking), FileLock::Mode::kExclusive, {stop}));
    TRY_ASSIGN(const auto meanwhile, implied(diff_id, trust));
    if (!meanwhile) TRY(unpack(diff_id, file, stop));
    trust = Trust::kAsItIs;
  }
}

Result<bool> UnpackedLayers::has(const Sha256& diff_id) const {
  TRY_ASSIGN(const Stat there, host_.files.look(path(diff_id)));
  return there.is(FileKind::kFolder);
}

Result<Swept> UnpackedLayers::collect(std::chrono::hours unused, const std::set<Sha256>& needed) const {
  Swept swept;
  const std::int64_t oldest = host_.clock.now_ns() - std::chrono::nanoseconds(unused).count();
  TRY_ASSIGN(const Stat there, host_.files.look(folder_));
  if (!there.exists()) return swept;
  TRY_ASSIGN(const std::vector<FolderEntry> entries, host_.files.list(folder_));
  for (const FolderEntry& entry : entries) {
    const std::string name = entry.name.substr(0, entry.name.find('.'));
    const std::optional<Sha256> diff_id = Sha256::parse(name);
    if (entry.kind != FileKind::kFolder || !diff_id) continue;
    TRY_ASSIGN(const std::optional<FileLock> alone,
               host_.files.lock(path(*diff_id, kLock), FileLock::Mode::kExclusive));
    TRY_ASSIGN(const std::optional<FileLock> making,
               host_.files.lock(path(*diff_id, kMaking), FileLock::Mode::kExclusive));
    if (!alone || !making) continue;
    TRY_ASSIGN(const Stat used, host_.files.look(path(*diff_id, kUsed)));
    const bool is_young = used.exists() && used.mtime_ns >= oldest;
    if (entry.name == name && (is_young || needed.contains(*diff_id))) continue;
    TRY_ASSIGN(const std::uint64_t bytes, tree_size(host_.files, path_join(folder_, entry.name)));
    TRY(host_.files.remove(path_join(folder_, entry.name)));
    if (entry.name == name) {
      TRY(host_.files.remove(path(*diff_id, kUsed)));
      TRY(host_.files.remove(path(*diff_id, kFacts)));
    }
    ++swept.count;
    swept.bytes += bytes;
  }
  return swept;
}

}  // namespace trainmake
