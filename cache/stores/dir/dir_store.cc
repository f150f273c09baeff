#include "cache/stores/dir/dir_store.h"

#include <atomic>
#include <random>
#include <vector>

#include "cache/file_digests.h"
#include "cache/listing.h"
#include "engine/base/remove_old.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// More files than that are cheaper to bring to the disk together with all that others write there.
constexpr int kSyncedOneByOne = 16;

// What is mounted answers from afar, perhaps; and a disk is written to while the next file is read.
constexpr std::size_t kPutAtOnce = 8;

// Smaller ones are read and written sooner than the file system is asked.
constexpr std::uint64_t kWorthACopy = std::uint64_t{64} << 10U;

// A file that was replaced is another, or was written at another time.
std::string tag_of(const Stat& stat) {
  return cat(stat.inode, "-", stat.size, "-", stat.mtime_ns, "-", stat.ctime_ns);
}

// Where a file is until all of it is there: whoever reads the folder meanwhile, or after a crash, finds
// nothing else among its data.
constexpr std::string_view kArriving = ".trainmake/.arriving";
constexpr std::string_view kAtWork = "at-work";  // in the folder there of each who sends

std::string name_of_its_own() {
  std::random_device random;
  return cat(random(), "-", random());
}

// Whether there is one is all that it tells: what lies in it changes its times.
constexpr std::string_view kFolderTag = "folder";

class DirStore final : public Store {
 public:
  DirStore(Host& host, const std::string& folder)
      : Store({.folder = folder, .puts_at_once = kPutAtOnce, .has_folders = true}),
        files_(host.files),
        clock_(host.clock),
        folder_(traits().folder) {}
  ~DirStore() override {
    if (has_aside_) (void)files_.remove(path_join(folder_, cat(kArriving, "/", name_)));
  }
  DirStore(const DirStore&) = delete;
  DirStore& operator=(const DirStore&) = delete;

  Result<void> check(const std::string& key) const override {
    TRY(object_path(key));
    return {};
  }

  Result<PutFile> put_file(const FileToPut& file, const std::stop_token& stop) override {
    TRY_ASSIGN(const std::string to, own_path(file.key));
    const int number = put_++;
    if (number == 0) remove_leftovers();
    TRY_ASSIGN(const std::string aside, aside_folder());
    const bool durable = number < kSyncedOneByOne;
    TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files_.create(to, {0644, durable, false, aside}));
    PutFile put;
    ContentHasher hasher;
    TRY_ASSIGN(const Stat source, files_.look(file.path, Links::kFollow));
    TRY_ASSIGN(const Stat before, files_.look(to));
    if (before.is(FileKind::kFolder)) {
      TRY_ASSIGN(const bool holds_nothing, has_folders_alone(to));
      if (!holds_nothing) return fail(in_the_way(to));
    }
    std::unique_ptr<FileReader> copied;
    if (source.size >= kWorthACopy) {
      TRY_ASSIGN(copied, writer->take_copy(file.path, stop));
    }
    const auto take = [&](std::string_view bytes) -> Result<void> {
      hasher.add(bytes);
      put.sent += bytes.size();
      keep_telling();
      return copied ? Result<void>() : writer->append(bytes);
    };
    TRY(copied ? read_pieces(*copied, stop, take) : read_pieces(files_, file.path, stop, take));
    if (hasher.finish() != file.content)
      return fail(step_error(cat(quoted(file.path), " changed while it was sent"),
                             "Run again: it was not put into the store"));
    if (!durable) unsynced_ = true;
    if (before.is(FileKind::kFolder)) {
      TRY_ASSIGN(const bool was_empty, remove_empty_folders(to));
      if (!was_empty) return fail(in_the_way(to));
    }
    TRY(writer->commit());
    TRY_ASSIGN(const Stat stat, files_.look(to));
    put.tag = tag_of(stat);
    return put;
  }

  // Whoever expects something holds a lock: nobody comes in between.
  Result<std::optional<std::string>> put(const std::string& key, std::string_view bytes,
                                         const Expected& expected, const std::stop_token&) override {
    TRY_ASSIGN(const std::string to, own_path(key));
    if (is_folder(key)) {
      unsynced_ = true;
      TRY(files_.make_folder(to));
      return std::optional(std::string(kFolderTag));
    }
    if (expected) {
      TRY_ASSIGN(const Stat there, files_.look(to));
      if ((there.exists() ? tag_of(there) : "") != *expected) return std::optional<std::string>();
    }
    if (unsynced_) TRY(files_.sync_disk(folder_));
    unsynced_ = false;
    TRY_ASSIGN(const std::string aside, aside_folder());
    TRY(write_file(files_, to, bytes, {0644, true, false, aside}));
    TRY_ASSIGN(const Stat stat, files_.look(to));
    return std::optional(tag_of(stat));
  }

  Result<std::optional<ObjectBytes>> get(const std::string& key) override {
    TRY_ASSIGN(const std::string from, object_path(key));
    // In this order, so that a tag is never newer than its bytes.
    TRY_ASSIGN(const Stat stat, files_.look(from));
    if (is_folder(key) != stat.is(FileKind::kFolder)) return std::optional<ObjectBytes>();
    if (is_folder(key)) return std::optional(ObjectBytes{"", std::string(kFolderTag), std::nullopt});
    TRY_ASSIGN(std::optional<std::string> bytes, read_file_if_there(files_, from));
    if (!bytes) return std::optional<ObjectBytes>();
    constexpr std::int64_t kSecond = 1'000'000'000;
    return std::optional(
        ObjectBytes{*std::move(bytes), tag_of(stat), (clock_.now_ns() - stat.mtime_ns) / kSecond});
  }

  Result<ReadEnd> read(const ObjectToRead& object, const ByteSink& to, const std::stop_token& stop) override {
    TRY_ASSIGN(const std::string from, object_path(object.key));
    TRY_ASSIGN(const Stat before, files_.look(from));
    if (!before.is(FileKind::kFile) || tag_of(before) != object.tag) return ReadEnd::kGone;
    TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files_.open(from));
    TRY(reader->skip(object.came));
    TRY(read_pieces(*reader, stop, to));
    TRY_ASSIGN(const Stat after, files_.look(from));
    return after == before ? ReadEnd::kWhole : ReadEnd::kGone;
  }

  Result<std::optional<StoredObject>> look(const std::string& key) override {
    TRY_ASSIGN(const std::string path, object_path(key));
    TRY_ASSIGN(const Stat stat, files_.look(path));
    if (is_folder(key) && stat.is(FileKind::kFolder))
      return std::optional(StoredObject{key, 0, std::string(kFolderTag), digest_of("")});
    if (is_folder(key) || !stat.is(FileKind::kFile)) return std::optional<StoredObject>();
    ContentHasher hasher;
    TRY(read_pieces(files_, path, {}, [&](std::string_view bytes) {
      hasher.add(bytes);
      return Result<void>();
    }));
    return std::optional(StoredObject{key, stat.size, tag_of(stat), hasher.finish()});
  }

  Result<void> list(const std::string& prefix,
                    const std::function<void(const StoredObject&)>& visit) override {
    return list_below("", prefix, visit);
  }

  Result<void> remove(std::span<const std::string> keys, const MayWrite&) override {
    for (const std::string& key : keys) TRY(remove_one(key));
    return {};
  }

 private:
  Result<void> remove_one(const std::string& key) {
    TRY_ASSIGN(const std::string path, own_path(key));
    TRY_ASSIGN(const Stat stat, files_.look(path));
    // A folder is of other objects, and what is no file, as a link, somebody else put there.
    if (stat.exists() && !stat.is(is_folder(key) ? FileKind::kFolder : FileKind::kFile)) return {};
    if (is_folder(key)) {
      TRY_ASSIGN(const bool was_empty, files_.remove_empty_folder(path));
      if (!was_empty) return {};
    } else {
      TRY(files_.remove(path));
    }
    // The folder above goes with its last object.
    for (std::string folder(path_folder(path)); !path_below(folder, folder_).value_or("").empty();
         folder = path_folder(folder)) {
      TRY_ASSIGN(const bool was_empty, files_.remove_empty_folder(folder));
      if (!was_empty) break;
    }
    return {};
  }

  static Error in_the_way(const std::string& folder) {
    return step_error(cat(quoted(folder), " is a folder, with something in it that was not sent from here"),
                      "Remove it there by hand, or choose another `prefix`");
  }

  Result<bool> has_folders_alone(const std::string& folder) {
    TRY_ASSIGN(const std::vector<FolderEntry> entries, files_.list(folder));
    for (const FolderEntry& entry : entries) {
      if (entry.kind != FileKind::kFolder) return false;
      TRY_ASSIGN(const bool holds_nothing, has_folders_alone(path_join(folder, entry.name)));
      if (!holds_nothing) return false;
    }
    return true;
  }

  // One with nothing but such in it; false when a file lies in there.
  Result<bool> remove_empty_folders(const std::string& folder) {
    TRY_ASSIGN(const std::vector<FolderEntry> entries, files_.list(folder));
    for (const FolderEntry& entry : entries) {
      if (entry.kind != FileKind::kFolder) return false;
      TRY_ASSIGN(const bool was_empty, remove_empty_folders(path_join(folder, entry.name)));
      if (!was_empty) return false;
    }
    return files_.remove_empty_folder(folder);
  }

  Result<std::string> object_path(const std::string& key) const {
    const std::optional<std::string> clean = path_clean(key);
    if (!clean || clean->empty() || key.starts_with('/') || key.find('\0') != key.npos)
      return fail(user_error(cat("Key ", quoted(key), " leads out of the store")));
    return path_join(folder_, *clean);
  }

  // For writing: a link on the way would lead whoever writes out of the store.
  Result<std::string> own_path(const std::string& key) const {
    TRY_ASSIGN(const std::string path, object_path(key));
    TRY_ASSIGN(const std::string link, link_between(files_, folder_, *path_below(path, folder_)));
    if (!link.empty())
      return fail(user_error(cat("The folder ", quoted(link), " in a store is a link"),
                             "Nothing is written or removed beyond it; put a folder in its place"));
    return path;
  }

  // Ours alone, below where those of all are.
  Result<std::string> aside_folder() {
    TRY_ASSIGN(const std::string file, own_path(cat(kArriving, "/", name_, "/", kAtWork)));
    has_aside_ = true;
    return std::string(path_folder(file));
  }

  // Of whoever was killed: by the clock of who has the disk, since ours may be another than theirs who write
  // there now. Worth a try.
  void remove_leftovers() {
    const Result<std::string> ours = aside_folder();
    if (!ours || !tell_at_work(*ours)) return;
    told_ns_ = clock_.steady_ns();
    const Result<Stat> told = files_.look(path_join(*ours, kAtWork));
    if (told && told->is(FileKind::kFile))
      remove_old(files_, told->mtime_ns, std::string(path_folder(*ours)), "");
  }

  // That what lies aside is somebody's still: what was copied at once may be read for hours.
  void keep_telling() {
    constexpr std::int64_t kTellEvery_ns = 60'000'000'000;
    const std::int64_t now_ns = clock_.steady_ns();
    std::int64_t told_ns = told_ns_;
    if (now_ns - told_ns < kTellEvery_ns || !told_ns_.compare_exchange_strong(told_ns, now_ns)) return;
    if (const Result<std::string> ours = aside_folder()) (void)tell_at_work(*ours);
  }

  Result<void> tell_at_work(const std::string& aside) {
    return write_file(files_, path_join(aside, kAtWork), "");
  }

  Result<void> list_below(const std::string& folder, const std::string& prefix,
                          const std::function<void(const StoredObject&)>& visit) {
    const std::string path = path_join(folder_, folder);
    TRY_ASSIGN(const Stat stat, files_.look(path, Links::kFollow));
    if (!stat.is(FileKind::kFolder)) return {};
    TRY_ASSIGN(const std::vector<FolderEntry> entries, files_.list(path));
    if (const std::string key = cat(folder, "/"); entries.empty() && key != "/" && key.starts_with(prefix))
      visit({key, 0, std::string(kFolderTag), std::nullopt});
    for (const FolderEntry& entry : entries) {
      const std::string key = path_join(folder, entry.name);
      if (key == kArriving) continue;
      if (entry.kind == FileKind::kFolder) {
        if (key.starts_with(prefix) || prefix.starts_with(key + "/")) TRY(list_below(key, prefix, visit));
      } else if (key.starts_with(prefix)) {
        TRY_ASSIGN(const Stat object, files_.look(path_join(folder_, key)));
        visit({key, object.size, tag_of(object), std::nullopt});
      }
    }
    return {};
  }

  FileSystem& files_;
  Clock& clock_;
  const std::string& folder_;
  const std::string name_ = name_of_its_own();
  std::atomic<bool> has_aside_ = false;
  std::atomic<std::int64_t> told_ns_ = 0;  // that this is at work
  std::atomic<int> put_ = 0;
  std::atomic<bool> unsynced_ = false;
};

}  // namespace

Result<std::unique_ptr<Store>> make_dir_store(Host& host, const Workspace& workspace, const Service& service,
                                              Tally&) {
  const std::string path = service.text("url")->substr(std::string_view("dir:").size());
  if (path.empty())
    return fail(user_error(cat("Store ", quoted(service.name), " names no folder"),
                           "It looks like `url = \"dir:bucket\"`")
                    .at(service.where));
  return std::unique_ptr<Store>(std::make_unique<DirStore>(host, absolute_path(workspace.path(path))));
}

}  // namespace trainmake
