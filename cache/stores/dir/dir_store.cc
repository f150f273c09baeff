#include "cache/stores/dir/dir_store.h"

#include <atomic>
#include <vector>

#include "cache/file_digests.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// More files than that are cheaper to bring to the disk together with all that others write there.
constexpr int kSyncedOneByOne = 16;

class DirStore final : public Store {
 public:
  DirStore(FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  Result<void> put_file(const std::string& key, const std::string& path, const Digest128& content,
                        const std::stop_token& stop) override {
    TRY_ASSIGN(const std::string to, own_path(key));
    TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files_.open(path));
    const bool durable = put_++ < kSyncedOneByOne;
    TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files_.create(to, {0644, durable}));
    std::vector<char> buffer(std::size_t{256} << 10U);
    ContentHasher hasher;
    for (;;) {
      TRY_ASSIGN(const std::size_t count, reader->read(buffer));
      if (count == 0) break;
      if (stop.stop_requested()) return fail(interrupted_error());
      const std::string_view bytes(buffer.data(), count);
      hasher.add(bytes);
      TRY(writer->append(bytes));
    }
    if (hasher.finish() != content)
      return fail(step_error(cat(quoted(path), " changed while it was sent"),
                             "Run again: it was not put into the store"));
    if (!durable) unsynced_ = true;
    return writer->commit();
  }

  Result<void> put(const std::string& key, std::string_view bytes) override {
    TRY_ASSIGN(const std::string to, own_path(key));
    if (unsynced_) TRY(files_.sync_disk(folder_));
    unsynced_ = false;
    return write_file(files_, to, bytes, {0644, true});
  }

  Result<std::optional<std::string>> get(const std::string& key) override {
    TRY_ASSIGN(const std::string from, object_path(key));
    return read_file_if_there(files_, from);
  }

  Result<void> list(const std::string& prefix,
                    const std::function<void(const StoredObject&)>& visit) override {
    return list_below("", prefix, visit);
  }

  Result<void> remove(const std::string& key) override {
    TRY_ASSIGN(const std::string path, own_path(key));
    TRY_ASSIGN(const Stat stat, files_.look(path));
    if (stat.is(FileKind::kFolder)) return {};  // of other objects; of this key there is none
    TRY(files_.remove(path));
    // Folders are no objects: an empty one goes with its last object.
    for (std::string folder(path_folder(path)); !path_below(folder, folder_).value_or("").empty();
         folder = path_folder(folder)) {
      TRY_ASSIGN(const bool was_empty, files_.remove_empty_folder(folder));
      if (!was_empty) break;
    }
    return {};
  }

  std::string local_path(const std::string& key) const override { return path_join(folder_, key); }

 private:
  Result<std::string> object_path(const std::string& key) const {
    const std::optional<std::string> clean = path_clean(key);
    if (!clean || clean->empty() || key.starts_with('/'))
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

  Result<void> list_below(const std::string& folder, const std::string& prefix,
                          const std::function<void(const StoredObject&)>& visit) {
    const std::string path = path_join(folder_, folder);
    TRY_ASSIGN(const Stat stat, files_.look(path, Links::kFollow));
    if (!stat.is(FileKind::kFolder)) return {};
    TRY_ASSIGN(const std::vector<FolderEntry> entries, files_.list(path));
    for (const FolderEntry& entry : entries) {
      const std::string key = path_join(folder, entry.name);
      if (entry.kind == FileKind::kFolder) {
        if (key.starts_with(prefix) || prefix.starts_with(key + "/")) TRY(list_below(key, prefix, visit));
      } else if (key.starts_with(prefix)) {
        TRY_ASSIGN(const Stat object, files_.look(path_join(folder_, key)));
        visit({key, object.size});
      }
    }
    return {};
  }

  FileSystem& files_;
  std::string folder_;
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
  return std::unique_ptr<Store>(std::make_unique<DirStore>(host.files, absolute_path(workspace.path(path))));
}

}  // namespace trainmake
