// The walk in three parts: a WalkQuestion says which paths are wanted, a Crew shares out folders to list and
// slices of names to look at, and Folders keep what was found where it was found, so that the answer needs no
// sorting at the end.
#include "engine/base/walk.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/base/walk_question.h"

namespace trainmake {

namespace {

constexpr std::size_t kSlice = 1024;        // names looked at in one go
constexpr std::size_t kWorthAThread = 512;  // entries seen before a second thread can pay
constexpr unsigned kMostThreads = 4;

struct Folder;

// What a slice of a folder's names turned out to be, in the order of the names.
struct Found {
  std::vector<WalkedFile> files;
  std::vector<std::unique_ptr<Folder>> folders;
  std::vector<std::string> folder_links;
  std::vector<std::string> special;
};

struct Folder {
  Folder(std::string_view path, const Stat& seen) : prefix(path), stat(seen) {
    if (!path.empty()) prefix += '/';
  }
  std::string path() const { return prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1); }

  std::string prefix;  // of the paths in it: "" or ending in a slash
  Stat stat;
  bool listed = false;
  bool is_found = false;  // itself: there is nothing in it
  std::vector<FolderEntry> entries;
  std::vector<std::string_view> names;  // of the entries that are worth a look
  std::vector<Found> slices;
};

struct Task {
  Folder* folder = nullptr;
  std::optional<std::size_t> slice;  // none: list it
};

// Does tasks, which may give further tasks, on this thread, and on others once there is enough for them.
class Crew {
 public:
  using Work = std::function<Result<void>(Task)>;
  explicit Crew(Work work) : work_(std::move(work)) {}

  Result<void> run() {
    labour();
    std::vector<std::jthread> helpers;
    {
      std::lock_guard lock(mutex_);
      helpers.swap(helpers_);
    }
    helpers.clear();  // joins
    if (failure_) return fail(std::move(*failure_));
    return {};
  }

  // The first of them is done first. `seen` counts the entries behind them.
  void add(std::vector<Task> tasks, std::size_t seen) {
    std::lock_guard lock(mutex_);
    seen_ += seen;
    tasks_.insert(tasks_.end(), tasks.rbegin(), tasks.rend());
    const bool enough = seen_ >= kWorthAThread && tasks_.size() > 1;
    if (enough && helpers_.size() + 1 < most_) helpers_.emplace_back([this] { labour(); });
    if (!helpers_.empty()) changed_.notify_all();
  }

 private:
  void labour() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return !tasks_.empty() || busy_ == 0; });
      if (tasks_.empty()) break;
      const Task task = tasks_.back();
      tasks_.pop_back();
      ++busy_;
      lock.unlock();
      auto done = work_(task);
      lock.lock();
      --busy_;
      if (!done) {
        if (!failure_) failure_ = std::move(done).error();
        tasks_.clear();
      }
    }
    changed_.notify_all();
  }

  const Work work_;
  const std::size_t most_ = std::min(processor_count(), kMostThreads);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;
  std::size_t busy_ = 0;
  std::size_t seen_ = 0;
  std::vector<std::jthread> helpers_;
  std::optional<Error> failure_;
};

enum class Why : std::uint8_t { kSearched, kNamed };

class Walker {
 public:
  Walker(FileSystem& files, const WalkRequest& request)
      : files_(files),
        request_(request),
        question_(request),
        crew_([this](Task task) { return work(task); }) {}

  Result<Walked> run();

 private:
  std::string at(std::string_view path) const { return path_join(request_.top, path); }
  bool is_private(std::string_view name) const {
    return !request_.all_names && (name == ".git" || name == ".trainmake");
  }

  Result<void> work(Task task) { return task.slice ? look(*task.folder, *task.slice) : list(*task.folder); }
  Result<void> list(Folder& folder);
  Result<bool> is_worth_a_look(const std::string& path, FileKind kind);
  Result<void> look(Folder& folder, std::size_t slice);
  Result<void> settle(std::string path, const Stat& stat, Why why, Found& found);
  Result<void> settle_link(std::string path, const Stat& stat, Why why, Found& found);
  void mark(const std::string& path, Why why) {
    why == Why::kNamed ? question_.mark_named(path) : question_.mark(path);
  }

  Result<const Stat*> passage(const std::string& folder);
  Result<Stat> look_into_passage(const std::string& folder);
  Result<void> look_at_named(const std::string& path);
  Result<void> start_at_roots();
  void gather(Folder& folder);
  void take(Found& found);

  FileSystem& files_;
  const WalkRequest& request_;
  WalkQuestion question_;
  Crew crew_;
  std::map<std::string, Stat> passages_;  // kind kNone: no way through
  std::vector<std::unique_ptr<Folder>> roots_;
  Found named_;
  Walked walked_;
};

Result<void> Walker::list(Folder& folder) {
  const std::string path = folder.path();
  auto entries = files_.list(at(path));
  if (!entries) {
    TRY_ASSIGN(const Stat now, files_.look(at(path), Links::kFollow));
    if (!now.is(FileKind::kFolder)) return {};  // it went while we walked
    return fail(std::move(entries).error());
  }
  folder.listed = true;
  folder.entries = std::move(*entries);
  if (request_.empty_folders && folder.entries.empty() && question_.wants(path)) {
    question_.mark(path);
    folder.is_found = true;
  }
  const auto named_before = [](const FolderEntry& entry, const std::string& name) {
    return entry.name < name;
  };
  if (!request_.boundary.empty() && !path.empty()) {
    const auto other =
        std::lower_bound(folder.entries.begin(), folder.entries.end(), request_.boundary, named_before);
    if (other != folder.entries.end() && other->name == request_.boundary) return {};
  }
  std::string child = folder.prefix;
  for (const FolderEntry& entry : folder.entries) {
    child.replace(folder.prefix.size(), child.npos, entry.name);
    if (is_private(entry.name)) continue;
    TRY_ASSIGN(const bool worth, is_worth_a_look(child, entry.kind));
    if (worth) folder.names.push_back(entry.name);
  }
  folder.slices.resize((folder.names.size() + kSlice - 1) / kSlice);
  if (folder.slices.size() == 1) {
    TRY(look(folder, 0));
    folder.entries = {};  // there may be many folders, and all of them stay to the end
    folder.names = {};
    return {};
  }
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < folder.slices.size(); ++i) tasks.push_back({&folder, i});
  crew_.add(std::move(tasks), folder.entries.size());
  return {};
}

Result<bool> Walker::is_worth_a_look(const std::string& path, FileKind kind) {
  if (kind == FileKind::kFolder) {
    if (!question_.leads_on(path) || question_.excludes(path)) return false;
  } else {
    const bool may_be_folder = kind == FileKind::kLink;
    if (!question_.wants(path) && !(may_be_folder && question_.leads_on(path))) return false;
    if (question_.excludes(path)) return false;
  }
  TRY_ASSIGN(const bool ignored, question_.ignores(path, kind == FileKind::kFolder));
  return !ignored;
}

Result<void> Walker::look(Folder& folder, std::size_t slice) {
  const std::size_t begin = slice * kSlice;
  const std::size_t count = std::min(kSlice, folder.names.size() - begin);
  const auto names = std::span<const std::string_view>(folder.names).subspan(begin, count);
  std::vector<Stat> stats(count);
  TRY(files_.look_at_all(at(folder.path()), names, stats));
  Found& found = folder.slices[slice];
  found.files.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    TRY(settle(cat(folder.prefix, names[i]), stats[i], Why::kSearched, found));
  if (found.folders.empty()) return {};
  std::vector<Task> tasks;
  for (const auto& child : found.folders) tasks.push_back({child.get(), std::nullopt});
  crew_.add(std::move(tasks), folder.entries.size());
  return {};
}

// Puts a path that is worth a look where it belongs; one that is gone by now, nowhere.
Result<void> Walker::settle(std::string path, const Stat& stat, Why why, Found& found) {
  switch (stat.kind) {
    case FileKind::kNone:
      return {};
    case FileKind::kLink:
      return settle_link(std::move(path), stat, why, found);
    case FileKind::kFolder:
      if (why == Why::kSearched && question_.leads_on(path))
        found.folders.push_back(std::make_unique<Folder>(path, stat));
      return {};
    case FileKind::kFile:
      mark(path, why);
      found.files.push_back({std::move(path), stat, {}});
      return {};
    case FileKind::kOther:
      found.special.push_back(std::move(path));
      return {};
  }
  return {};
}

Result<void> Walker::settle_link(std::string path, const Stat& stat, Why why, Found& found) {
  const bool wanted = why == Why::kNamed || question_.wants(path);
  const bool follows = request_.links == Links::kFollow;
  const auto target = files_.look(at(path), Links::kFollow);
  const bool to_folder = target && target->is(FileKind::kFolder);
  if (to_folder) found.folder_links.push_back(path);
  if (!wanted || (to_folder && follows)) return {};
  if (!follows) {
    mark(path, why);
    TRY_ASSIGN(std::string text, files_.read_link(at(path)));
    found.files.push_back({std::move(path), stat, std::move(text)});
    return {};
  }
  if (!target) return fail(target.error());
  if (!target->exists()) {
    return fail(user_error(cat("Link ", quoted(path), " leads to nothing"),
                           "Remove it, exclude it, or restore what it leads to"));
  }
  return settle(std::move(path), *target, why, found);
}

// The stat of a folder below top that may be entered, and which no link, boundary or private name stands
// before. Null when there is no way through.
Result<const Stat*> Walker::passage(const std::string& folder) {
  auto known = passages_.find(folder);
  if (known == passages_.end()) {
    TRY_ASSIGN(const Stat stat, look_into_passage(folder));
    known = passages_.emplace(folder, stat).first;
  }
  return known->second.exists() ? &known->second : nullptr;
}

Result<Stat> Walker::look_into_passage(const std::string& folder) {
  if (folder.empty()) {
    TRY_ASSIGN(const Stat top, files_.look(request_.top, Links::kFollow));
    return top.is(FileKind::kFolder) ? top : Stat();
  }
  TRY_ASSIGN(const Stat* above, passage(std::string(path_folder(folder))));
  if (above == nullptr || is_private(path_name(folder))) return Stat();
  TRY_ASSIGN(const Stat stat, files_.look(at(folder)));
  if (stat.is(FileKind::kLink)) {
    const auto target = files_.look(at(folder), Links::kFollow);
    if (target && target->is(FileKind::kFolder)) named_.folder_links.push_back(folder);
  }
  if (!stat.is(FileKind::kFolder)) return Stat();
  if (request_.boundary.empty()) return stat;
  TRY_ASSIGN(const Stat other, files_.look(path_join(at(folder), request_.boundary)));
  return other.exists() ? Stat() : stat;
}

Result<void> Walker::look_at_named(const std::string& path) {
  for (std::string_view above = path; !above.empty(); above = path_folder(above)) {
    if (question_.excludes(above)) return {};
  }
  TRY_ASSIGN(const Stat* folder, passage(std::string(path_folder(path))));
  if (folder == nullptr || is_private(path_name(path))) return {};
  TRY_ASSIGN(const Stat stat, files_.look(at(path)));
  return settle(path, stat, Why::kNamed, named_);
}

Result<void> Walker::start_at_roots() {
  std::vector<std::string> prefixes;  // with their slash, so that those below one another are neighbours
  for (const auto& [pattern, number] : question_.searches()) {
    prefixes.push_back(pattern.root().empty() ? "" : pattern.root() + '/');
  }
  std::sort(prefixes.begin(), prefixes.end());
  std::optional<std::string> last;
  std::vector<Task> tasks;
  for (const std::string& prefix : prefixes) {
    if (last && prefix.starts_with(*last)) continue;
    last = prefix;
    const std::string root = prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1);
    TRY_ASSIGN(const Stat* stat, passage(root));
    for (std::string_view above = path_folder(root); !above.empty(); above = path_folder(above)) {
      TRY_ASSIGN(const Stat* passed, passage(std::string(above)));
      if (passed != nullptr) walked_.folders.emplace_back(above, *passed);
    }
    if (stat == nullptr) continue;
    TRY_ASSIGN(const bool pruned, question_.prunes(root));
    if (pruned) continue;
    roots_.push_back(std::make_unique<Folder>(root, *stat));
    tasks.push_back({roots_.back().get(), std::nullopt});
  }
  crew_.add(std::move(tasks), 0);
  return {};
}

void Walker::take(Found& found) {
  const auto move_all = [](std::vector<std::string>& from, std::vector<std::string>& to) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move_all(found.folder_links, walked_.folder_links);
  move_all(found.special, walked_.special);
}

// Bytewise by path: a folder stands among its neighbours as its name with a slash.
void Walker::gather(Folder& folder) {
  if (!folder.listed) return;
  walked_.folders.emplace_back(folder.path(), folder.stat);
  if (folder.is_found) walked_.files.push_back({folder.prefix, folder.stat, {}});
  std::vector<Folder*> children;
  for (Found& slice : folder.slices) {
    take(slice);
    for (const auto& child : slice.folders) children.push_back(child.get());
  }
  std::sort(children.begin(), children.end(),
            [](const Folder* a, const Folder* b) { return a->prefix < b->prefix; });
  auto child = children.begin();
  for (Found& slice : folder.slices) {
    for (WalkedFile& file : slice.files) {
      while (child != children.end() && (*child)->prefix < file.path) gather(**child++);
      walked_.files.push_back(std::move(file));
    }
    slice.files = {};
  }
  while (child != children.end()) gather(**child++);
}

std::size_t count_files(const Folder& folder) {
  std::size_t count = 0;
  for (const Found& slice : folder.slices) {
    count += slice.files.size();
    for (const auto& child : slice.folders) count += count_files(*child);
  }
  return count;
}

template <typename T, typename Key>
void sort_once_each(std::vector<T>& values, Key key) {
  const auto before = [&](const T& a, const T& b) { return key(a) < key(b); };
  if (!std::is_sorted(values.begin(), values.end(), before)) std::sort(values.begin(), values.end(), before);
  const auto same = [&](const T& a, const T& b) { return key(a) == key(b); };
  values.erase(std::unique(values.begin(), values.end(), same), values.end());
}

Result<Walked> Walker::run() {
  TRY(question_.parse());
  for (const auto& [path, numbers] : question_.named()) TRY(look_at_named(path));
  TRY(start_at_roots());
  TRY(crew_.run());
  std::size_t count = named_.files.size();
  for (const auto& root : roots_) count += count_files(*root);
  walked_.files.reserve(count);
  for (const auto& root : roots_) gather(*root);
  take(named_);
  for (WalkedFile& file : named_.files) walked_.files.push_back(std::move(file));
  sort_once_each(walked_.files, [](const WalkedFile& file) -> const std::string& { return file.path; });
  sort_once_each(walked_.folders, [](const auto& folder) -> const std::string& { return folder.first; });
  const auto itself = [](const std::string& path) -> const std::string& { return path; };
  sort_once_each(walked_.folder_links, itself);
  sort_once_each(walked_.special, itself);
  walked_.unmatched = question_.unmatched();
  return std::move(walked_);
}

}  // namespace

Result<Walked> walk(FileSystem& files, const WalkRequest& request) { return Walker(files, request).run(); }

}  // namespace trainmake
