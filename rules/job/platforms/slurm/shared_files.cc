#include "rules/job/platforms/slurm/shared_files.h"

#include <algorithm>
#include <random>
#include <set>

#include "cache/file_digests.h"
#include "engine/base/file_lock.h"
#include "engine/base/file_marks.h"
#include "engine/base/text.h"
#include "rules/job/checkpoint.h"
#include "rules/job/layout_progress.h"
#include "rules/job/note_files.h"
#include "rules/job/platforms/slurm/seal.h"

namespace trainmake {
namespace {

constexpr std::uint32_t kProgram = 0755;

// Below `content/`.
std::string address_of(const ListedFile& file) {
  const std::string name = content_name(file);
  return cat(std::string_view(name).substr(0, 3), "/", name);
}

// Of a key of a listing.
TreeEntry folder_at(std::string path) {
  if (is_folder(path)) path.pop_back();
  return {std::move(path), FileKind::kFolder};
}

// Where a link leads from, at `path` of a tree.
std::string way_to_content(std::string_view path, SharedFiles::Seen seen) {
  if (seen == SharedFiles::Seen::kInContainer) return kContentInContainer;
  std::string way = "../../content";
  for (const char c : path) way.insert(0, c == '/' ? "../" : "");
  return way;
}

}  // namespace

std::string random_name() {
  std::random_device random;
  return digest_of(cat(random(), " ", random(), " ", random(), " ", random())).hex();
}

SharedFiles::SharedFiles(Host& host, const Workspace& workspace, Blobs& blobs, std::string top)
    : host_(host),
      workspace_(workspace),
      blobs_(blobs),
      top_(std::move(top)),
      trees_(host, workspace, blobs, top_) {}

Result<std::string> SharedFiles::home(const char* what) {
  const std::lock_guard lock(mutex_);
  if (id_.empty()) {
    TRY_ASSIGN(id_,
               name_once(host_.files, path_join(workspace_.cache, "slurm-id"), random_name().substr(0, 16)));
  }
  return path_join(top_, cat(what, "/", id_));
}

Result<void> SharedFiles::check_there() {
  TRY_ASSIGN(const Stat stat, host_.files.look(top_, Links::kFollow));
  if (stat.is(FileKind::kFolder)) return {};
  return fail(user_error(cat("There is no folder ", quoted(top_), ", which is the platform's `shared_dir`"),
                         "Mount it, or make it where this machine and the nodes see it"));
}

// One shared folder may be there while that of another platform is not.
std::string SharedFiles::home_made(const std::string& top) const {
  return path_join(workspace_.cache, cat("slurm-homes/", digest_of(top).hex()));
}

// Shared folders of this workspace's other platforms, and of this one before somebody edited it.
Result<std::vector<std::string>> SharedFiles::others() {
  const std::lock_guard lock(mutex_);
  if (others_) return *others_;
  const std::string homes(path_folder(home_made(top_)));
  std::vector<std::string> others;
  TRY_ASSIGN(const bool any, is_there(host_.files, homes));
  if (any) {
    TRY_ASSIGN(const std::vector<FolderEntry> entries, host_.files.list(homes));
    for (const FolderEntry& entry : entries) {
      TRY_ASSIGN(std::string top, text_at(host_.files, path_join(homes, entry.name)));
      if (!top.empty() && top != top_) others.push_back(std::move(top));
    }
  }
  others_ = others;
  return others;
}

Result<std::string> SharedFiles::run_folder(const std::string& run) {
  TRY_ASSIGN(const std::string runs, home("runs"));
  std::string here = path_join(runs, run);
  TRY_ASSIGN(const std::vector<std::string> others, this->others());
  if (others.empty()) return here;
  TRY_ASSIGN(const bool is_here, is_there(host_.files, here));
  if (is_here) return here;
  for (const std::string& top : others) {
    std::string elsewhere = path_join(top, cat("runs/", path_name(runs), "/", run));
    TRY_ASSIGN(const bool there, is_there(host_.files, elsewhere));
    if (there) return elsewhere;
  }
  return here;
}

Result<std::optional<std::string>> SharedFiles::other_away() {
  TRY_ASSIGN(const std::string runs, home("runs"));
  TRY_ASSIGN(const std::vector<std::string> others, this->others());
  for (const std::string& top : others) {
    TRY_ASSIGN(const bool there, is_there(host_.files, path_join(top, cat("runs/", path_name(runs)))));
    if (!there) return std::optional(top);
  }
  return std::optional<std::string>();
}

std::string SharedFiles::forget_other(const std::string& top) const {
  return cat("rm ", shell_word(home_made(top)));
}

Result<void> SharedFiles::check_home(Made made) {
  TRY_ASSIGN(const std::string runs, home("runs"));
  TRY_ASSIGN(const Stat there, host_.files.look(runs, Links::kFollow));
  if (there.is(FileKind::kFolder)) return {};
  TRY_ASSIGN(const bool was_made, is_there(host_.files, home_made(top_)));
  if (!was_made && made != Made::kSurely) return {};
  if (auto top = check_there(); !top) return fail(std::move(top).error().because(Blame::kRemote));
  return fail(
      user_error(cat("What this workspace made in `shared_dir` is not there: no folder ", quoted(runs)),
                 cat("Mount it; if all of that is gone for good, `mkdir -p ", shell_word(runs), "` says so"))
          .because(Blame::kRemote));
}

Result<void> SharedFiles::make_home() {
  TRY(check_home(Made::kIfRemembered));
  const std::lock_guard lock(making_home_);
  if (is_home_made_) return {};
  TRY(check_there());
  TRY_ASSIGN(const std::string runs, home("runs"));
  TRY(host_.files.make_folder(runs));
  TRY(write_once(host_.files, home_made(top_), top_));
  is_home_made_ = true;
  return {};
}

std::string content_folder(const std::string& shared_dir) { return path_join(shared_dir, "content"); }

std::string ports_folder(const std::string& shared_dir) { return path_join(shared_dir, "ports"); }

std::string own_checkpoint_folder(const SlurmRun& run) {
  const std::string_view workspace = path_folder(run.top), runs = path_folder(workspace);
  return path_join(path_folder(runs),
                   cat("checkpoints/", path_name(workspace), "/", own_checkpoint(path_name(run.top))));
}

std::string checkpoint_seen_folder(const std::string& shared_dir) {
  return path_join(shared_dir, "checkpoint");
}

std::string shared_lock(const std::string& shared_dir) { return path_join(shared_dir, "lock"); }

Result<FileLock> SharedFiles::hold() {
  auto lock = wait_for_lock(host_, shared_lock(top_), FileLock::Mode::kShared, {});
  if (!lock) return fail(std::move(lock).error());
  CHECK(lock->has_value());
  return **std::move(lock);
}

Result<void> SharedFiles::place_checkpoint(const JobSpec& spec, const std::string& folder,
                                           const Patience& patience) {
  LayoutProgress progress(host_.clock, patience);
  progress.expect(bytes_resumed(spec));
  return trainmake::place_checkpoint(host_.files, blobs_, spec, folder, progress.copying());
}

Result<void> SharedFiles::make_seen_checkpoint() {
  const std::string folder = checkpoint_seen_folder(top_);
  TRY_ASSIGN(const bool there, is_there(host_.files, folder));
  if (there) {
    // File systems for scratch purge what is old, and with the folder what is mounted there.
    (void)set_mtime(path_join(folder, "README"), host_.clock.now_ns());
    return {};
  }
  return write_file(host_.files, path_join(folder, "README"),
                    "A job sees its run's checkpoint folder here, and no other; it lies in checkpoints/.\n");
}

Result<std::string> SharedFiles::place_code(const Listing& code, const Patience& patience) {
  Hasher hasher;
  for (const ListedFile& file : code)
    hasher.field(file.key).field(file.link_target).number(file.mode).field(file.sha256.hex());
  const auto tree = [&] {
    SharedTree made;
    for (const ListedFile& file : code) {
      if (!file.link_target.empty()) {
        made.entries.push_back({file.key, FileKind::kLink, file.link_target});
      } else if (is_folder(file.key)) {
        made.entries.push_back(folder_at(file.key));
      } else {
        made.entries.push_back({file.key});
        made.files.push_back({file.key, &file, "the code"});
      }
    }
    return made;
  };
  return trees_.place(cat("code-", hasher.finish().hex()), tree, patience);
}

Result<std::string> SharedFiles::place_data(const std::vector<GivenTree>& trees, Seen seen,
                                            const Patience& patience) {
  struct Placed {
    std::string key;
    const GivenTree* tree;
    const ListedFile* file;
  };
  std::vector<Placed> all;
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files)
      all.push_back({path_join(tree.channel, file.key), &tree, &file});
  }
  std::sort(all.begin(), all.end(), [](const Placed& a, const Placed& b) { return a.key < b.key; });
  Hasher hasher;
  for (const Placed& one : all) hasher.field(one.key).field(address_of(*one.file)).number(one.file->size);
  if (seen == Seen::kInContainer) hasher.field(kContentInContainer);
  const auto tree = [&] {
    SharedTree made;
    std::set<std::string> addresses;
    for (const Placed& one : all) {
      const std::string address = address_of(*one.file);
      if (is_folder(one.file->key)) {
        made.entries.push_back(folder_at(one.key));
        continue;
      }
      made.entries.push_back({one.key, FileKind::kLink, path_join(way_to_content(one.key, seen), address)});
      if (addresses.insert(address).second)
        made.files.push_back({path_join(content_folder(top_), address), one.file, quoted(one.tree->label)});
    }
    return made;
  };
  return trees_.place(cat("data-", hasher.finish().hex()), tree, patience);
}

Result<std::string> SharedFiles::place_program(const std::string& program) {
  const std::lock_guard lock(mutex_);
  auto known = programs_.find(program);
  if (known == programs_.end()) {
    ContentHasher content;
    TRY(read_pieces(host_.files, program, {}, [&](std::string_view bytes) -> Result<void> {
      content.add(bytes);
      return {};
    }));
    known = programs_.emplace(program, content.finish()).first;
  }
  std::string place = path_join(top_, cat("programs/trainmake-", known->second.hex()));
  const std::string seal = known->second.hex();
  TRY_ASSIGN(const Stat there, host_.files.look(place));
  if (there.is(FileKind::kFile) && is_seal_of(seal, there.mtime_ns)) return place;
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer,
             host_.files.create(place, {.mode = kProgram, .large = true}));
  TRY(read_pieces(host_.files, program, {}, [&](std::string_view bytes) { return writer->append(bytes); }));
  TRY(writer->commit());
  (void)set_mtime(place, seal_of(seal, host_.clock.now_ns()));
  return place;
}

}  // namespace trainmake
