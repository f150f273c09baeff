#include "tests/support/mem_fs.h"

#include <algorithm>
#include <cerrno>

#include "engine/base/text.h"

namespace trainmake {

namespace {

constexpr int kMostLinks = 40;

std::string key_of(std::string_view path) { return path_clean(path_join("/", path)).value_or("/"); }

std::string prefix_of(const std::string& key) { return key == "/" ? key : key + "/"; }

}  // namespace

// Where a path leads: an absolute path without links in it, and what is there, if anything.
struct MemFileSystem::Place {
  std::string key;
  Node node;
  int error = 0;  // ENOENT when a folder on the way is missing; the last name may be missing without one
};

class MemReader final : public FileReader {
 public:
  MemReader(MemFileSystem& files, std::string path, std::shared_ptr<MemNode> node)
      : files_(files), path_(std::move(path)), node_(std::move(node)) {}

  Result<std::size_t> read(std::span<char> into) override {
    const std::lock_guard lock(files_.mutex_);
    if (const int error = files_.asked("read", path_)) return fail(system_error("Cannot read", path_, error));
    const std::size_t begin = std::min(at_, node_->content.size());
    const std::size_t count = std::min(into.size(), node_->content.size() - begin);
    std::copy_n(node_->content.begin() + static_cast<std::ptrdiff_t>(begin), count, into.begin());
    at_ = begin + count;
    return count;
  }

  Result<Stat> stat() override {
    const std::lock_guard lock(files_.mutex_);
    return node_->stat;
  }

 private:
  MemFileSystem& files_;
  std::string path_;
  std::shared_ptr<MemNode> node_;
  std::size_t at_ = 0;
};

class MemWriter final : public FileWriter {
 public:
  MemWriter(MemFileSystem& files, std::string path, const WriteOptions& options)
      : files_(files), path_(std::move(path)), options_(options) {}

  Result<void> append(std::string_view bytes) override {
    const std::lock_guard lock(files_.mutex_);
    if (const int error = files_.asked("write", path_))
      return fail(system_error("Cannot write", path_, error));
    content_ += bytes;
    return {};
  }

  Result<std::unique_ptr<FileReader>> take_copy(const std::string& from, const std::stop_token&) override {
    TRY_ASSIGN(content_, read_file(files_, from));
    const std::lock_guard lock(files_.mutex_);
    if (const int error = files_.asked("take_copy", path_))
      return fail(system_error("Cannot write", path_, error));
    auto node = std::make_shared<MemNode>();
    node->content = content_;
    return std::make_unique<MemReader>(files_, path_, std::move(node));
  }

  Result<void> commit() override {
    const std::lock_guard lock(files_.mutex_);
    int error = files_.asked("commit", path_);
    if (error == 0) error = put_in_place();
    if (error != 0) return fail(system_error("Cannot write", path_, error));
    return {};
  }

 private:
  int put_in_place() {
    const auto there = files_.nodes_.find(files_.resolve(path_, Links::kKeep).key);
    if (there != files_.nodes_.end()) {
      if (there->second->stat.is(FileKind::kFolder)) return EISDIR;
      files_.nodes_.erase(there);
    }
    return files_.add(path_, FileKind::kFile, content_, options_.mode);
  }

  MemFileSystem& files_;
  std::string path_;
  WriteOptions options_;
  std::string content_;
};

class MemExtender final : public FileWriter {
 public:
  MemExtender(MemFileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  Result<void> append(std::string_view bytes) override {
    const std::lock_guard lock(files_.mutex_);
    if (const int error = files_.asked("write", path_))
      return fail(system_error("Cannot write", path_, error));
    const auto there = files_.nodes_.find(files_.resolve(path_, Links::kFollow).key);
    if (there == files_.nodes_.end()) return {};  // removed meanwhile: it goes nowhere
    std::string& content = there->second->content;
    content += bytes;
    there->second->stat.size = content.size();
    return {};
  }
  Result<void> commit() override {
    const std::lock_guard lock(files_.mutex_);
    const auto there = files_.nodes_.find(files_.resolve(path_, Links::kFollow).key);
    if (there != files_.nodes_.end()) there->second->stat.mode = 0444;
    return {};
  }

 private:
  MemFileSystem& files_;
  std::string path_;
};

MemFileSystem::MemFileSystem() {
  auto root = std::make_shared<MemNode>();
  root->stat = {0, now_ns, now_ns, last_inode_, 0755, FileKind::kFolder};
  nodes_["/"] = root;
}

void MemFileSystem::put(const std::string& path, std::string_view content, std::uint32_t mode) {
  const std::lock_guard lock(mutex_);
  const Place place = resolve(path, Links::kFollow);
  if (!place.node) {
    CHECK(make_folder_locked(std::string(path_folder(path))) == 0);
    CHECK(add(path, FileKind::kFile, std::string(content), mode) == 0);
    return;
  }
  CHECK(place.node->stat.is(FileKind::kFile));
  place.node->content = content;
  Stat& stat = place.node->stat;
  stat = {content.size(), tick(), now_ns, stat.inode, mode, FileKind::kFile};
}

void MemFileSystem::put_folder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  CHECK(make_folder_locked(path) == 0);
}

void MemFileSystem::put_link(const std::string& path, const std::string& target) {
  const std::lock_guard lock(mutex_);
  CHECK(make_folder_locked(std::string(path_folder(path))) == 0);
  CHECK(add(path, FileKind::kLink, target, 0777) == 0);
}

void MemFileSystem::put_special(const std::string& path) {
  const std::lock_guard lock(mutex_);
  CHECK(make_folder_locked(std::string(path_folder(path))) == 0);
  CHECK(add(path, FileKind::kOther, {}, 0644) == 0);
}

void MemFileSystem::touch(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Place place = resolve(path, Links::kFollow);
  CHECK(place.node != nullptr);
  place.node->stat.mtime_ns = place.node->stat.ctime_ns = tick();
}

void MemFileSystem::take_away(const std::string& path) {
  auto removed = remove(path);
  CHECK(removed.has_value());
  const std::lock_guard lock(mutex_);
  log_.pop_back();
}

bool MemFileSystem::has(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return resolve(path, Links::kKeep).node != nullptr;
}

std::string MemFileSystem::content(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Place place = resolve(path, Links::kFollow);
  CHECK(place.node != nullptr && place.node->stat.is(FileKind::kFile));
  return place.node->content;
}

std::vector<std::string> MemFileSystem::all_files() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [key, node] : nodes_) {
    if (!node->stat.is(FileKind::kFolder)) paths.push_back(key.substr(1));
  }
  return paths;
}

std::vector<std::string> MemFileSystem::take_log() {
  const std::lock_guard lock(mutex_);
  return std::exchange(log_, {});
}

void MemFileSystem::refuse(const std::string& line, int error_number) {
  const std::lock_guard lock(mutex_);
  refused_[line] = error_number;
}

void MemFileSystem::fail_nth(const std::string& verb, int nth, int error_number) {
  const std::lock_guard lock(mutex_);
  countdowns_[verb] = {nth, error_number};
}

int MemFileSystem::asked(const std::string& verb, const std::string& rest) {
  std::string line = cat(verb, ' ', rest);
  const auto refused = refused_.find(line);
  int error = refused == refused_.end() ? 0 : refused->second;
  const auto countdown = countdowns_.find(verb);
  if (countdown != countdowns_.end() && --countdown->second.first == 0) error = countdown->second.second;
  if (verb != "read") log_.push_back(std::move(line));
  return error;
}

MemFileSystem::Place MemFileSystem::resolve(const std::string& path, Links links) const {
  std::vector<std::string> left = split(path, '/');
  std::reverse(left.begin(), left.end());
  Place place{"/", nodes_.at("/"), 0};
  for (int followed = 0; !left.empty();) {
    const std::string name = std::move(left.back());
    left.pop_back();
    if (name.empty() || name == ".") continue;
    if (!place.node) return {place.key, nullptr, ENOENT};
    if (!place.node->stat.is(FileKind::kFolder)) return {place.key, nullptr, ENOTDIR};
    const std::string above = place.key;
    place.key = name == ".." ? key_of(path_folder(above)) : path_join(above, name);
    const auto found = nodes_.find(place.key);
    place.node = found == nodes_.end() ? nullptr : found->second;
    const bool is_link = place.node && place.node->stat.is(FileKind::kLink);
    if (!is_link || (left.empty() && links == Links::kKeep)) continue;
    if (++followed > kMostLinks) return {place.key, nullptr, ELOOP};
    const std::string target = place.node->content;
    place = {target.starts_with('/') ? "/" : above, nodes_.at(target.starts_with('/') ? "/" : above), 0};
    std::vector<std::string> more = split(target, '/');
    left.insert(left.end(), more.rbegin(), more.rend());
  }
  return place;
}

int MemFileSystem::look_locked(const std::string& path, Links links, Stat& into) const {
  const Place place = resolve(path, links);
  into = place.node ? place.node->stat : Stat();
  return place.error == ENOENT || place.error == ENOTDIR ? 0 : place.error;
}

int MemFileSystem::make_folder_locked(const std::string& path) {
  const Place place = resolve(path, Links::kFollow);
  if (place.node) return place.node->stat.is(FileKind::kFolder) ? 0 : ENOTDIR;
  if (place.error != 0 && place.error != ENOENT) return place.error;
  if (const int error = make_folder_locked(std::string(path_folder(path)))) return error;
  return add(path, FileKind::kFolder, {}, 0755);
}

int MemFileSystem::add(const std::string& path, FileKind kind, std::string content, std::uint32_t mode) {
  const Place place = resolve(path, Links::kKeep);
  if (place.error != 0) return place.error;
  if (place.node) return EEXIST;
  auto node = std::make_shared<MemNode>();
  node->stat = {content.size(), tick(), now_ns, ++last_inode_, mode, kind};
  node->content = std::move(content);
  nodes_[place.key] = node;
  changed_in_folder_of(place.key);
  return 0;
}

void MemFileSystem::changed_in_folder_of(const std::string& key) {
  Stat& stat = nodes_.at(key_of(path_folder(key)))->stat;
  stat.mtime_ns = stat.ctime_ns = tick();
}

bool MemFileSystem::has_children(const std::string& key) const {
  const std::string prefix = prefix_of(key);
  const auto first = nodes_.upper_bound(prefix);
  return first != nodes_.end() && first->first.starts_with(prefix);
}

Result<Stat> MemFileSystem::look(const std::string& path, Links links) {
  const std::lock_guard lock(mutex_);
  Stat stat;
  int error = asked("look", cat(path, links == Links::kFollow ? " follow" : ""));
  if (error == 0) error = look_locked(path, links, stat);
  if (error != 0) return fail(system_error("Cannot look at", path, error));
  return stat;
}

Result<void> MemFileSystem::look_at_all(const std::string& folder, std::span<const std::string_view> names,
                                        std::span<Stat> into, Links links) {
  const std::lock_guard lock(mutex_);
  CHECK(names.size() == into.size());
  if (const int error = asked("look_at_all", folder))
    return fail(system_error("Cannot look into", folder, error));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string path = path_join(folder, names[i]);
    if (const int error = look_locked(path, links, into[i]))
      return fail(system_error("Cannot look at", path, error));
  }
  return {};
}

Result<std::vector<FolderEntry>> MemFileSystem::list(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  int error = asked("list", folder);
  const Place place = resolve(folder, Links::kFollow);
  if (error == 0) error = place.error;
  if (error == 0 && !place.node) error = ENOENT;
  if (error == 0 && !place.node->stat.is(FileKind::kFolder)) error = ENOTDIR;
  if (error != 0) return fail(system_error("Cannot list", folder, error));
  std::vector<FolderEntry> entries;
  const std::string prefix = prefix_of(place.key);
  for (auto at = nodes_.upper_bound(prefix); at != nodes_.end() && at->first.starts_with(prefix); ++at) {
    const std::string name = at->first.substr(prefix.size());
    if (name.find('/') == name.npos) entries.push_back({name, at->second->stat.kind});
  }
  return entries;
}

Result<std::string> MemFileSystem::read_link(const std::string& path) {
  const std::lock_guard lock(mutex_);
  int error = asked("read_link", path);
  const Place place = resolve(path, Links::kKeep);
  if (error == 0) error = place.error;
  if (error == 0 && !place.node) error = ENOENT;
  if (error == 0 && !place.node->stat.is(FileKind::kLink)) error = EINVAL;
  if (error != 0) return fail(system_error("Cannot read the link", path, error));
  return place.node->content;
}

Result<std::unique_ptr<FileReader>> MemFileSystem::open(const std::string& path) {
  Place place;
  {
    const std::lock_guard lock(mutex_);
    int error = asked("open", path);
    place = resolve(path, Links::kFollow);
    if (error == 0) error = place.error;
    if (error == 0 && !place.node) error = ENOENT;
    if (error == 0 && place.node->stat.is(FileKind::kFolder)) error = EISDIR;
    if (error != 0) return fail(system_error("Cannot open", path, error));
    if (!place.node->stat.is(FileKind::kFile)) {
      return fail(user_error(cat("Cannot open ", quoted(path), ": Not a regular file")));
    }
  }
  if (on_open) on_open(path);
  return std::make_unique<MemReader>(*this, path, place.node);
}

Result<std::unique_ptr<FileWriter>> MemFileSystem::create(const std::string& path,
                                                          const WriteOptions& options) {
  const std::lock_guard lock(mutex_);
  int error = asked("create", path);
  if (error == 0) error = make_folder_locked(std::string(path_folder(path)));
  if (error != 0) return fail(system_error("Cannot write", path, error));
  return std::make_unique<MemWriter>(*this, path, options);
}

Result<std::unique_ptr<FileWriter>> MemFileSystem::extend(const std::string& path) {
  const std::lock_guard lock(mutex_);
  int error = asked("extend", path);
  if (error == 0) error = make_folder_locked(std::string(path_folder(path)));
  if (error == 0 && !resolve(path, Links::kFollow).node) error = add(path, FileKind::kFile, "", 0644);
  if (error != 0) return fail(system_error("Cannot write", path, error));
  return std::make_unique<MemExtender>(*this, path);
}

Result<void> MemFileSystem::make_folder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  int error = asked("make_folder", path);
  if (error == 0) error = make_folder_locked(path);
  if (error != 0) return fail(system_error("Cannot make the folder", path, error));
  return {};
}

Result<void> MemFileSystem::make_link(const std::string& target, const std::string& path) {
  const std::lock_guard lock(mutex_);
  int error = asked("make_link", path);
  if (error == 0) error = add(path, FileKind::kLink, target, 0777);
  if (error != 0) return fail(system_error("Cannot make the link", path, error));
  return {};
}

Result<void> MemFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  int error = asked("rename", cat(from, ' ', to));
  const Place source = resolve(from, Links::kKeep);
  const Place target = resolve(to, Links::kKeep);
  if (error == 0) error = source.error != 0 ? source.error : target.error;
  if (error == 0 && !source.node) error = ENOENT;
  if (error == 0 && target.node) {
    const bool folder = source.node->stat.is(FileKind::kFolder);
    const bool onto_folder = target.node->stat.is(FileKind::kFolder);
    if (folder && !onto_folder) error = ENOTDIR;
    if (!folder && onto_folder) error = EISDIR;
    if (folder && onto_folder && has_children(target.key)) error = ENOTEMPTY;
  }
  if (error != 0) return fail(system_error(cat("Cannot rename ", quoted(from), " to"), to, error));
  if (source.key == target.key) return {};
  std::map<std::string, Node> moved;
  std::erase_if(nodes_, [&](const auto& entry) {
    const auto below = path_below(entry.first, source.key);
    if (below) moved[path_join(target.key, *below)] = entry.second;
    return below.has_value();
  });
  for (auto& [key, node] : moved) nodes_[key] = node;
  source.node->stat.ctime_ns = tick();
  changed_in_folder_of(source.key);
  changed_in_folder_of(target.key);
  return {};
}

Result<void> MemFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  int error = asked("remove", path);
  const std::string_view name = path_name(path);
  if (name.empty() || name == "." || name == "..") {
    return fail(
        user_error(cat("Refusing to remove ", quoted(path)), "Name a file or a folder below another"));
  }
  const Place place = resolve(path, Links::kKeep);
  if (error == 0 && place.error == ELOOP) error = ELOOP;
  if (error != 0) return fail(system_error("Cannot remove", path, error));
  if (!place.node) return {};
  std::erase_if(nodes_, [&](const auto& entry) { return path_below(entry.first, place.key).has_value(); });
  changed_in_folder_of(place.key);
  return {};
}

Result<bool> MemFileSystem::remove_empty_folder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const int error = asked("remove_empty_folder", path);
  if (error != 0) return fail(system_error("Cannot remove", path, error));
  const Place place = resolve(path, Links::kKeep);
  if (!place.node || !place.node->stat.is(FileKind::kFolder) || has_children(place.key)) return false;
  nodes_.erase(place.key);
  changed_in_folder_of(place.key);
  return true;
}

Result<void> MemFileSystem::sync_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  int error = asked("sync_file", path);
  if (error == 0 && nodes_.find(path) == nodes_.end()) error = ENOENT;
  return error == 0 ? Result<void>() : fail(system_error("Cannot write", path, error));
}

Result<void> MemFileSystem::sync_disk(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const int error = asked("sync_disk", path);
  return error == 0 ? Result<void>() : fail(system_error("Cannot write", path, error));
}

Result<bool> MemFileSystem::create_exclusive(const std::string& path, std::string_view content) {
  const std::lock_guard lock(mutex_);
  int error = asked("create_exclusive", path);
  if (error == 0) error = make_folder_locked(std::string(path_folder(path)));
  if (error == 0) error = add(path, FileKind::kFile, std::string(content), 0644);
  if (error == EEXIST) return false;
  if (error != 0) return fail(system_error("Cannot write", path, error));
  return true;
}

}  // namespace trainmake
