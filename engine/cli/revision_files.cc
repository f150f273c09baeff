#include "engine/cli/revision_files.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "engine/base/text.h"

namespace trainmake {
namespace {

Stat stat_of(const std::string& content) {
  Stat stat;
  stat.kind = FileKind::kFile;
  stat.size = content.size();
  stat.mode = 0644;
  return stat;
}

class TextReader final : public FileReader {
 public:
  explicit TextReader(std::string text) : text_(std::move(text)) {}
  Result<std::size_t> read(std::span<char> into) override {
    const std::size_t count = std::min(into.size(), text_.size() - at_);
    if (count > 0) std::memcpy(into.data(), text_.data() + at_, count);
    at_ += count;
    return count;
  }
  Result<Stat> stat() override { return stat_of(text_); }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

Failure read_only(const std::string& path) {
  return fail(user_error(cat("Cannot write ", quoted(path), ": it is of a past commit")));
}

}  // namespace

std::vector<std::string> RevisionFiles::changed_below(const std::string& folder) const {
  std::vector<std::string> paths;
  const std::string start = folder + "/";
  for (auto at = changed_.lower_bound(start); at != changed_.end() && at->starts_with(start); ++at)
    paths.push_back(*at);
  return paths;
}

Result<Stat> RevisionFiles::look(const std::string& path, Links links) {
  if (changed_.contains(path)) {
    TRY_ASSIGN(const std::optional<std::string> content, snapshot_.read(path));
    return content ? stat_of(*content) : Stat{};
  }
  TRY_ASSIGN(Stat stat, files_.look(path, links));
  if (stat.exists()) return stat;
  for (const std::string& below : changed_below(path)) {  // a folder that is gone with its files
    TRY_ASSIGN(const std::optional<std::string> content, snapshot_.read(below));
    if (!content) continue;
    stat.kind = FileKind::kFolder;
    break;
  }
  return stat;
}

Result<void> RevisionFiles::look_at_all(const std::string& folder, std::span<const std::string_view> names,
                                        std::span<Stat> into, Links links) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    TRY_ASSIGN(into[i], look(path_join(folder, names[i]), links));
  }
  return {};
}

Result<std::vector<FolderEntry>> RevisionFiles::list(const std::string& folder) {
  std::map<std::string, FileKind> entries;
  TRY_ASSIGN(const Stat stat, files_.look(folder, Links::kFollow));
  if (stat.is(FileKind::kFolder)) {
    TRY_ASSIGN(const std::vector<FolderEntry> now, files_.list(folder));
    for (const FolderEntry& entry : now) entries[entry.name] = entry.kind;
  }
  for (const std::string& path : changed_below(folder)) {
    const std::string below = path.substr(folder.size() + 1);
    const std::string name = below.substr(0, below.find('/'));
    TRY_ASSIGN(const std::optional<std::string> content, snapshot_.read(path));
    if (content) {
      entries[name] = name == below ? FileKind::kFile : FileKind::kFolder;
    } else if (name == below) {
      entries.erase(name);
    }
  }
  std::vector<FolderEntry> list;
  for (auto& [name, kind] : entries) list.push_back({name, kind});
  return list;
}

Result<std::unique_ptr<FileReader>> RevisionFiles::open(const std::string& path) {
  if (!changed_.contains(path)) return files_.open(path);
  TRY_ASSIGN(std::optional<std::string> content, snapshot_.read(path));
  if (!content) return fail(user_error(cat("There was no file ", quoted(path))));
  return std::unique_ptr<FileReader>(std::make_unique<TextReader>(*std::move(content)));
}

Result<std::string> RevisionFiles::read_link(const std::string& path) { return files_.read_link(path); }
Result<std::unique_ptr<FileWriter>> RevisionFiles::create(const std::string& path, const WriteOptions&) {
  return read_only(path);
}
Result<std::unique_ptr<FileWriter>> RevisionFiles::extend(const std::string& path) { return read_only(path); }
Result<void> RevisionFiles::make_folder(const std::string& path) { return read_only(path); }
Result<void> RevisionFiles::make_link(const std::string&, const std::string& path) { return read_only(path); }
Result<void> RevisionFiles::rename(const std::string& from, const std::string&) { return read_only(from); }
Result<void> RevisionFiles::remove(const std::string& path) { return read_only(path); }
Result<bool> RevisionFiles::remove_empty_folder(const std::string& path) { return read_only(path); }
Result<void> RevisionFiles::sync_file(const std::string& path) { return read_only(path); }
Result<void> RevisionFiles::sync_disk(const std::string& path) { return read_only(path); }
Result<bool> RevisionFiles::create_exclusive(const std::string& path, std::string_view) {
  return read_only(path);
}
Result<std::optional<FileLock>> RevisionFiles::lock(const std::string& path, FileLock::Mode) {
  return read_only(path);
}

}  // namespace trainmake
