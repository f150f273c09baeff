#include "rules/job/platforms/slurm/tree_faults.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "engine/base/text.h"
#include "engine/base/threads.h"

namespace trainmake {
namespace {

constexpr std::uint32_t kAllWrite = 0222;
constexpr std::size_t kImplied = SIZE_MAX;  // a folder that is there for what lies in it
constexpr std::size_t kFewLinks = 64;

struct Wanted {
  std::string name;
  FileKind kind;
  std::size_t entry;
};

// By folder, sorted by name.
std::map<std::string, std::vector<Wanted>> wanted_in(std::span<const TreeEntry> entries) {
  std::map<std::string, std::vector<Wanted>> inside;
  std::map<std::string, std::size_t> told;  // folders that are entries themselves
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const TreeEntry& entry = entries[i];
    if (entry.kind == FileKind::kFolder) {
      told[entry.path] = i;
    } else {
      inside[std::string(path_folder(entry.path))].push_back(
          {std::string(path_name(entry.path)), entry.kind, i});
    }
  }
  for (const std::string& folder : folders_of(entries)) {
    (void)inside[folder];
    if (folder.empty()) continue;
    const auto entry = told.find(folder);
    inside[std::string(path_folder(folder))].push_back(
        {std::string(path_name(folder)), FileKind::kFolder, entry == told.end() ? kImplied : entry->second});
  }
  for (auto& [folder, wanted] : inside) {
    std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.name < b.name; });
  }
  return inside;
}

class Search {
 public:
  Search(FileSystem& files, const std::string& tree, std::span<const TreeEntry> entries)
      : files_(files), tree_(tree), entries_(entries) {}

  Result<TreeFaults> all() {
    const auto inside = wanted_in(entries_);
    std::vector<const std::pair<const std::string, std::vector<Wanted>>*> folders;
    for (const auto& one : inside) folders.push_back(&one);
    parallel_for(folders.size(), 1, kLooksAtOnce, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) note(look_in(folders[i]->first, folders[i]->second));
    });
    parallel_for(links_.size(), kFewLinks, kLooksAtOnce, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) read(links_[i]);
    });
    if (error_) return fail(*std::move(error_));
    std::sort(faults_.missing.begin(), faults_.missing.end());
    std::sort(faults_.surplus.begin(), faults_.surplus.end());
    return std::move(faults_);
  }

 private:
  void note(Result<void> looked) {
    const std::lock_guard lock(mutex_);
    if (!looked && !error_) error_ = std::move(looked).error();
  }
  void miss(const Wanted& wanted) {
    if (wanted.entry != kImplied) faults_.missing.push_back(wanted.entry);
  }

  Result<void> look_in(const std::string& folder, const std::vector<Wanted>& wanted) {
    const std::string path = path_join(tree_, folder);
    TRY_ASSIGN(const Stat stat, files_.look(path));
    std::vector<FolderEntry> there;
    if (stat.is(FileKind::kFolder)) {
      TRY_ASSIGN(there, files_.list(path));
    }
    const std::lock_guard lock(mutex_);
    if (stat.is(FileKind::kFolder) && (stat.mode & kAllWrite) != 0) faults_.open_folders.push_back(path);
    auto found = there.begin();
    for (const Wanted& one : wanted) {
      for (; found != there.end() && found->name < one.name; ++found) exceed(folder, *found);
      if (found == there.end() || found->name != one.name) {
        miss(one);
        continue;
      }
      if (found->kind != one.kind) {
        miss(one);
        exceed(folder, *found);
      } else if (one.kind == FileKind::kLink) {
        links_.push_back(one.entry);
      }
      ++found;
    }
    for (; found != there.end(); ++found) exceed(folder, *found);
    return {};
  }

  void exceed(const std::string& folder, const FolderEntry& entry) {
    faults_.surplus.push_back(path_join(folder, entry.name));
  }

  void read(std::size_t entry) {
    const auto text = files_.read_link(path_join(tree_, entries_[entry].path));
    if (text && *text == entries_[entry].text) return;
    const std::lock_guard lock(mutex_);
    faults_.missing.push_back(entry);
    faults_.surplus.push_back(entries_[entry].path);
  }

  FileSystem& files_;
  const std::string& tree_;
  std::span<const TreeEntry> entries_;
  std::mutex mutex_;
  TreeFaults faults_;
  std::vector<std::size_t> links_;  // that are there, with a text that is to be read
  std::optional<Error> error_;
};

}  // namespace

std::set<std::string> folders_of(std::span<const TreeEntry> entries) {
  std::set<std::string> folders = {""};
  for (const TreeEntry& entry : entries) {
    std::string folder = entry.kind == FileKind::kFolder ? entry.path : std::string(path_folder(entry.path));
    while (!folder.empty() && folders.insert(folder).second) folder = std::string(path_folder(folder));
  }
  return folders;
}

Result<TreeFaults> faults_of(FileSystem& files, const std::string& tree, std::span<const TreeEntry> entries) {
  return Search(files, tree, entries).all();
}

}  // namespace trainmake
