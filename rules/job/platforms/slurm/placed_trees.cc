#include "rules/job/platforms/slurm/placed_trees.h"

#include <algorithm>
#include <atomic>

#include "cache/file_digests.h"
#include "cache/lay_out.h"
#include "engine/base/disk_space.h"
#include "engine/base/file_lock.h"
#include "engine/base/file_marks.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "rules/job/layout_progress.h"
#include "rules/job/note_files.h"
#include "rules/job/platforms/slurm/seal.h"
#include "rules/job/platforms/slurm/shared_files.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kLookHolds_ns = 3600 * kSecond_ns, kLong_ns = 3 * kSecond_ns;
constexpr std::uint32_t kReadOnly = 0444, kAllWrite = 0222, kProgram = 0100;
constexpr std::size_t kFewFiles = 16;
constexpr int kMendings = 3;

Error changed(const PlacedFile& placed) {
  return step_error(
      cat(quoted(placed.file->source), " of ", placed.owner, " changed before it was copied for the job"),
      "Run it again: it is looked at anew");
}

bool is_content(const PlacedFile& placed) { return placed.path.starts_with('/'); }

// It may belong to somebody else, who may write there; that is their choice.
void close_as_far_as_possible(const std::string& path) { (void)close_to_writing(path); }

}  // namespace

std::string content_name(const ListedFile& file) {
  return file.source.empty() ? file.sha256.hex() : cat("x", file.content.hex());
}

// Says what takes long, once.
class PlacedTrees::LongLook {
 public:
  LongLook(Clock& clock, std::size_t files, const std::string& folder, const Patience& patience)
      : clock_(clock), began_ns_(clock.steady_ns()), files_(files), folder_(folder), patience_(patience) {}

  const std::stop_token& stop() const { return patience_.stop; }

  void tell_if_long() {
    if (!patience_.say || clock_.steady_ns() - began_ns_ < kLong_ns || told_.exchange(true)) return;
    patience_.say(cat("Looking whether ", quoted(folder_),
                      " still is what was placed there: ", plural(files_, "file")));
  }

 private:
  Clock& clock_;
  std::int64_t began_ns_;
  std::size_t files_;
  const std::string& folder_;
  const Patience& patience_;
  std::atomic<bool> told_ = false;
};

PlacedTrees::Looked& PlacedTrees::looked(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return looked_[name];
}

Result<std::string> PlacedTrees::place(const std::string& name, const std::function<SharedTree()>& tree,
                                       const Patience& patience) {
  std::string folder = path_join(top_, cat("trees/", name));
  Looked& last = looked(name);
  const std::lock_guard looking(last.looking);
  const std::int64_t now_ns = host_.clock.steady_ns();
  TRY_ASSIGN(const bool there, is_there(host_.files, folder));
  if (there && last.when_ns != 0 && now_ns - last.when_ns < kLookHolds_ns) return folder;
  TRY(there ? mend(tree(), folder, patience) : make(tree(), folder, patience));
  last.when_ns = now_ns;
  return folder;
}

// Everything is missing in a folder that nobody else knows, which then takes its name.
Result<void> PlacedTrees::make(const SharedTree& tree, const std::string& folder, const Patience& patience) {
  const std::string incoming = path_join(top_, cat("incoming/", random_name()));
  const auto made = [&]() -> Result<void> {
    TRY(host_.files.make_folder(incoming));
    TRY_ASSIGN(const Faults faults, look(tree, incoming, patience));
    TRY(check_room_for(tree, faults));
    TRY(fill(tree, incoming, faults, patience));
    TRY(host_.files.make_folder(std::string(path_folder(folder))));
    return host_.files.rename(incoming, folder);
  };
  Result<void> result = made();
  if (!result) {
    (void)host_.files.remove(incoming);
    if (result.error().blame == Blame::kInterrupted) return result;
    // A folder is not renamed over another: somebody else was quicker.
    TRY_ASSIGN(const bool meanwhile, is_there(host_.files, folder));
    if (!meanwhile) return result;
  }
  // Not before: who may not write to a folder may not move it, either.
  for (const std::string& each : folders_of(tree.entries)) close_as_far_as_possible(path_join(folder, each));
  return {};
}

bool PlacedTrees::changes_folders(const SharedTree& tree, const Faults& faults) {
  return !faults.tree.missing.empty() || !faults.tree.surplus.empty() ||
         std::any_of(faults.files.begin(), faults.files.end(),
                     [&](std::size_t i) { return !is_content(tree.files[i]); });
}

Result<void> PlacedTrees::open_folders(const SharedTree& tree, const std::string& folder) {
  for (const std::string& each : folders_of(tree.entries)) {
    const std::string path = path_join(folder, each);
    TRY_ASSIGN(const Stat stat, host_.files.look(path));
    if (!stat.is(FileKind::kFolder)) continue;
    if (auto opened = open_to_writing(path); !opened)
      return fail(std::move(opened).error().advise(
          "It is no longer what was placed there; whoever it belongs to mends it by a run of theirs, or "
          "removes it, and it is placed anew"));
  }
  return {};
}

Result<void> PlacedTrees::mend(const SharedTree& tree, const std::string& folder, const Patience& patience) {
  TRY_ASSIGN(Faults faults, look(tree, folder, patience));
  for (const std::string& open : faults.tree.open_folders) close_as_far_as_possible(open);
  if (faults.none()) return {};
  TRY_ASSIGN(
      const std::optional<FileLock> alone,
      wait_for_lock(host_, path_join(top_, "mending"), FileLock::Mode::kExclusive, {.stop = patience.stop}));
  std::size_t placed = 0, removed = 0;
  for (int mendings = 0;; ++mendings) {
    TRY_ASSIGN(faults, look(tree, folder, patience));
    if (faults.none()) break;
    if (mendings == kMendings)
      return fail(step_error(cat(quoted(folder), " is changed by somebody while it is mended"),
                             "End what writes there: a job must not change its data"));
    TRY(check_room_for(tree, faults));
    if (changes_folders(tree, faults)) TRY(open_folders(tree, folder));
    if (auto filled = fill(tree, folder, faults, patience); !filled) {
      if (filled.error().blame == Blame::kInterrupted) return filled;
      Error error = std::move(filled).error();
      error.message += cat("; what lies in ", quoted(folder), " is no longer what was placed there");
      return fail(std::move(error));
    }
    placed += faults.files.size();
    for (const std::size_t entry : faults.tree.missing)
      placed += tree.entries[entry].kind == FileKind::kFile ? 0 : 1;
    removed += faults.tree.surplus.size();
    for (const std::string& each : folders_of(tree.entries))
      close_as_far_as_possible(path_join(folder, each));
  }
  if (placed + removed == 0 || !patience.say) return {};
  patience.say(cat(quoted(folder), " was no longer what was placed there: ",
                   placed > 0 ? cat(plural(placed, "file"), " placed again") : "",
                   placed > 0 && removed > 0 ? ", " : "",
                   removed > 0 ? cat(plural(removed, "file"), " removed") : ""));
  return {};
}

Result<PlacedTrees::Faults> PlacedTrees::look(const SharedTree& tree, const std::string& folder,
                                              const Patience& patience) {
  LongLook look(host_.clock, tree.files.size(), folder, patience);
  Faults faults;
  TRY_ASSIGN(faults.tree, faults_of(host_.files, folder, tree.entries));
  TRY_ASSIGN(faults.files, damaged(tree, folder, look));
  return faults;
}

Result<std::vector<std::size_t>> PlacedTrees::damaged(const SharedTree& tree, const std::string& folder,
                                                      LongLook& look) {
  std::vector<std::uint8_t> is_damaged(tree.files.size(), 0);
  parallel_for(tree.files.size(), kFewFiles, kLooksAtOnce, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      is_damaged[i] = is_right(tree.files[i], path_join(folder, tree.files[i].path), look.stop()) ? 0 : 1;
      look.tell_if_long();
    }
  });
  // One that was not read to its end is not known to be wrong.
  if (look.stop().stop_requested()) return fail(interrupted_error());
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < is_damaged.size(); ++i) {
    if (is_damaged[i] != 0) found.push_back(i);
  }
  return found;
}

// One without its seal was touched, or placed by an older trainmake: it is read.
bool PlacedTrees::is_right(const PlacedFile& placed, const std::string& path, const std::stop_token& stop) {
  const auto stat = host_.files.look(path);
  if (!stat || !stat->is(FileKind::kFile) || stat->size != placed.file->size) return false;
  if (is_content(placed) && (stat->mode & kAllWrite) != 0) close_as_far_as_possible(path);
  if (!is_content(placed) && (stat->mode & kProgram) != (placed.file->mode & kProgram)) return false;
  const std::string name = content_name(*placed.file);
  if (is_seal_of(name, stat->mtime_ns)) return true;
  if (!has_its_content(*placed.file, path, stop)) return false;
  (void)set_mtime(path, seal_of(name, host_.clock.now_ns()));  // it may be another's: then it is read again
  return true;
}

bool PlacedTrees::has_its_content(const ListedFile& file, const std::string& path,
                                  const std::stop_token& stop) {
  ContentHasher content;
  Sha256Hasher sha256;
  const bool is_blob = file.source.empty();
  const auto read = read_pieces(host_.files, path, stop, [&](std::string_view bytes) -> Result<void> {
    if (is_blob)
      sha256.raw(bytes);
    else
      content.add(bytes);
    return {};
  });
  return read && (is_blob ? sha256.finish() == file.sha256 : content.finish() == file.content);
}

Result<void> PlacedTrees::fill(const SharedTree& tree, const std::string& folder, const Faults& faults,
                               const Patience& patience) {
  LayoutProgress progress(host_.clock, patience);
  for (const std::size_t i : faults.files) progress.expect(tree.files[i].file->size);
  for (const std::string& path : faults.tree.surplus) TRY(host_.files.remove(path_join(folder, path)));
  for (const std::size_t i : faults.files)
    TRY(copy(tree.files[i], path_join(folder, tree.files[i].path), progress.copying()));
  for (const std::size_t i : faults.tree.missing) {
    const TreeEntry& entry = tree.entries[i];
    const std::string path = path_join(folder, entry.path);
    if (entry.kind == FileKind::kFolder) TRY(host_.files.make_folder(path));
    if (entry.kind != FileKind::kLink) continue;
    TRY(host_.files.make_folder(std::string(path_folder(path))));
    TRY(host_.files.make_link(entry.text, path));
  }
  return {};
}

Result<void> PlacedTrees::check_room_for(const SharedTree& tree, const Faults& faults) {
  std::uint64_t bytes = 0;
  for (const std::size_t i : faults.files) bytes += is_content(tree.files[i]) ? tree.files[i].file->size : 0;
  return check_room(top_, bytes, "the job's data");
}

Result<void> PlacedTrees::copy(const PlacedFile& placed, const std::string& to, const Copying& copying) {
  TRY_ASSIGN(const Stat there, host_.files.look(to));
  if (there.exists() && !there.is(FileKind::kFile)) TRY(host_.files.remove(to));
  if (!placed.file->source.empty()) {
    TRY(copy_in_place(placed, to, copying));
  } else {
    ListedFile file = *placed.file;
    if (is_content(placed)) file.mode = kReadOnly;
    TRY(lay_out(blobs_, file, placed.owner, to, copying));
  }
  // Where it cannot be sealed, each look reads it.
  (void)set_mtime(to, seal_of(content_name(*placed.file), host_.clock.now_ns()));
  return {};
}

// What arrives is what the job was given, whatever the file becomes meanwhile.
Result<void> PlacedTrees::copy_in_place(const PlacedFile& placed, const std::string& to,
                                        const Copying& copying) {
  const ListedFile& file = *placed.file;
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer,
             host_.files.create(to, {.mode = kReadOnly, .large = true}));
  ContentHasher content;
  std::uint64_t size = 0;
  TRY(read_pieces(host_.files, path_join(workspace_.root, file.source), copying.stop,
                  [&](std::string_view bytes) {
                    content.add(bytes);
                    size += bytes.size();
                    if (copying.copied) copying.copied(bytes.size());
                    return writer->append(bytes);
                  }));
  if (size != file.size || content.finish() != file.content) return fail(changed(placed));
  return writer->commit();
}

}  // namespace trainmake
