// libgit2, opened when a repository is met for the first time. Repositories are found here and not by
// libgit2, so that a folder that lies in none costs a few looks and no library, and so that paths keep the
// spelling they came with.
#include "engine/base/git.h"

#include <dlfcn.h>
#include <git2.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <set>

#include "engine/base/text.h"

namespace trainmake {

namespace {

// clang-format off
#define TM_GIT_FUNCTIONS(USE) \
  USE(blob_rawcontent) \
  USE(blob_rawsize) \
  USE(buf_dispose) \
  USE(config_free) \
  USE(config_get_path) \
  USE(config_iterator_free) \
  USE(config_iterator_new) \
  USE(config_next) \
  USE(diff_free) \
  USE(diff_get_delta) \
  USE(diff_num_deltas) \
  USE(diff_options_init) \
  USE(diff_tree_to_workdir_with_index) \
  USE(error_last) \
  USE(ignore_path_is_ignored) \
  USE(index_find) \
  USE(index_find_prefix) \
  USE(index_free) \
  USE(libgit2_init) \
  USE(libgit2_opts) \
  USE(object_free) \
  USE(object_peel) \
  USE(oid_tostr) \
  USE(reference_free) \
  USE(reference_lookup) \
  USE(reference_name_to_id) \
  USE(reference_symbolic_target) \
  USE(repository_commondir) \
  USE(repository_config_snapshot) \
  USE(repository_free) \
  USE(repository_index) \
  USE(repository_open) \
  USE(repository_path) \
  USE(revparse_single) \
  USE(status_list_entrycount) \
  USE(status_list_free) \
  USE(status_list_new) \
  USE(status_options_init) \
  USE(tree_entry_bypath) \
  USE(tree_entry_free) \
  USE(tree_entry_to_object) \
  USE(tree_entry_type)
// clang-format on

// Each member has the name and the type of the function it stands for.
struct Library {
#define TM_GIT_MEMBER(name) decltype(&::git_##name) name = nullptr;
  TM_GIT_FUNCTIONS(TM_GIT_MEMBER)
#undef TM_GIT_MEMBER
};

// Empty when all functions were found, else what is missing.
std::string open_library(Library& library) {
  void* handle = ::dlopen("libgit2.so." LIBGIT2_SOVERSION, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return ::dlerror();
  std::string missing;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    if (function == nullptr) missing = cat("it has no ", name);
  };
#define TM_GIT_FIND(name) find(library.name, "git_" #name);
  TM_GIT_FUNCTIONS(TM_GIT_FIND)
#undef TM_GIT_FIND
  return missing;
}

// We only read, so a repository of another user is no danger, and neither are extensions that change how it
// is written.
void set_up(const Library& git) {
  git.libgit2_init();
  git.libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
  std::array<const char*, 3> harmless = {"worktreeconfig", "partialclone", "preciousobjects"};
  git.libgit2_opts(GIT_OPT_SET_EXTENSIONS, harmless.data(), harmless.size());
}

Result<const Library*> load() {
  static Library library;
  static const std::string problem = [] {
    std::string missing = open_library(library);
    if (missing.empty()) set_up(library);
    return missing;
  }();
  if (problem.empty()) return &library;
  return fail(user_error(cat("Cannot load libgit2 " LIBGIT2_SOVERSION ": ", problem),
                         "Install it (Debian: `apt install libgit2-" LIBGIT2_SOVERSION "`)"));
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

struct Repository {
  const Library* git;
  std::string worktree;
  Owned<git_repository> handle;

  Error error(std::string_view what) const {
    const git_error* last = git->error_last();
    const std::string_view reason =
        last != nullptr && last->message != nullptr ? last->message : "unknown error";
    return user_error(
        cat("Cannot ", what, " the git repository ", quoted(worktree), ": ", printable(reason)));
  }
};

// The nearest folder at or above `folder` with a `.git` that is a repository.
Result<std::optional<Repository>> open_around(FileSystem& files, const std::string& folder) {
  const std::string start = absolute_path(folder);
  for (std::string_view at = start; !at.empty(); at = path_folder(at)) {
    const auto found = files.look(path_join(at, ".git"), Links::kFollow);
    if (!found || !found->exists()) continue;
    TRY_ASSIGN(const Library* git, load());
    git_repository* opened = nullptr;
    const int status = git->repository_open(&opened, std::string(at).c_str());
    Repository repository{git, std::string(at), {opened, git->repository_free}};
    if (status == 0) return std::optional(std::move(repository));
    if (status != GIT_ENOTFOUND) return fail(repository.error("read"));
  }
  return std::nullopt;
}

std::string commit_text(const Library& git, const git_oid& id) {
  std::array<char, GIT_OID_HEXSZ + 1> text;
  return git.oid_tostr(text.data(), text.size(), &id);
}

// What HEAD stands for when it is a branch, born or not; "" when it is detached.
std::string branch_of(const Repository& repository) {
  constexpr std::string_view kBranches = "refs/heads/";
  const Library& git = *repository.git;
  git_reference* found = nullptr;
  if (git.reference_lookup(&found, repository.handle.get(), "HEAD") != 0) return {};
  const Owned<git_reference> head(found, git.reference_free);
  const char* target = git.reference_symbolic_target(head.get());
  if (target == nullptr) return {};
  std::string_view name = target;
  if (name.starts_with(kBranches)) name.remove_prefix(kBranches.size());
  return std::string(name);
}

Result<bool> is_dirty(const Repository& repository) {
  const Library& git = *repository.git;
  git_status_options options;
  git.status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED;
  git_status_list* made = nullptr;
  if (git.status_list_new(&made, repository.handle.get(), &options) != 0)
    return fail(repository.error("compare"));
  const Owned<git_status_list> list(made, git.status_list_free);
  return git.status_list_entrycount(list.get()) > 0;
}

Result<Owned<git_object>> tree_of(const Repository& repository, const std::string& revision) {
  const Library& git = *repository.git;
  git_object* found = nullptr;
  if (git.revparse_single(&found, repository.handle.get(), revision.c_str()) == 0) {
    const Owned<git_object> object(found, git.object_free);
    git_object* tree = nullptr;
    if (git.object_peel(&tree, object.get(), GIT_OBJECT_TREE) == 0)
      return Owned<git_object>(tree, git.object_free);
  }
  return fail(user_error(cat("Unknown revision ", quoted(revision), " in ", quoted(repository.worktree)),
                         "Name a commit, branch or tag; `git log --oneline` lists commits"));
}

// The folders in which libgit2 looks for configuration of one level.
std::vector<std::string> search_folders(const Library& git, int level) {
  git_buf buffer = GIT_BUF_INIT;
  if (git.libgit2_opts(GIT_OPT_GET_SEARCH_PATH, level, &buffer) != 0) return {};
  std::vector<std::string> folders =
      split(std::string_view(buffer.ptr, buffer.size), GIT_PATH_LIST_SEPARATOR);
  git.buf_dispose(&buffer);
  return folders;
}

// libgit2 gives sections and keys in lower case. Not left to its own search by pattern, which loses memory.
bool is_include(std::string_view name) {
  return name == "include.path" || (name.starts_with("includeif.") && name.ends_with(".path"));
}

// What the configuration includes, or would under another condition. libgit2 does not tell which file an
// entry stands in, so a relative path is taken from the folder of each that may hold it: a file too many is
// only looked at in vain.
void add_included(FileSystem& files, const Library& git, const git_config* config,
                  std::vector<std::string>& sources) {
  git_config_iterator* made = nullptr;
  if (git.config_iterator_new(&made, config) != 0) return;
  const Owned<git_config_iterator> entries(made, git.config_iterator_free);
  std::set<std::string> folders;
  for (const std::string& source : sources) folders.emplace(path_folder(source));
  git_config_entry* entry = nullptr;
  while (git.config_next(&entry, entries.get()) == 0) {
    if (!is_include(entry->name) || entry->value == nullptr) continue;
    const std::string_view path = entry->value;
    const std::size_t before = sources.size();
    if (path.starts_with("~/")) {
      for (const std::string& home : search_folders(git, GIT_CONFIG_LEVEL_GLOBAL))
        sources.push_back(path_join(home, path.substr(2)));
    } else {
      for (const std::string& folder : folders) sources.push_back(absolute_path(path_join(folder, path)));
    }
    for (std::size_t i = before; i < sources.size(); ++i) {
      const Result<Stat> stat = files.look(sources[i], Links::kFollow);
      if (stat && stat->exists()) folders.emplace(path_folder(sources[i]));
    }
  }
}

}  // namespace

struct IgnoreRules::Inside {
  FileSystem& files;
  Repository repository;
  mutable std::mutex mutex;
  std::optional<Index> seen;  // what was there when `index` was read
  Owned<git_index> index{nullptr, nullptr};

  // An index that libgit2 cannot read (a split or a sparse one) is taken for an empty one. It is looked at
  // before it is read, so that a change in between is one since the look.
  Result<void> read_index() {
    const Library& git = *repository.git;
    Index now{path_join(git.repository_path(repository.handle.get()), "index"), {}};
    TRY_ASSIGN(now.stat, files.look(now.path, Links::kFollow));
    git_index* opened = nullptr;
    if (git.repository_index(&opened, repository.handle.get()) == 0) index = {opened, git.index_free};
    seen = std::move(now);
    return {};
  }

  bool is_tracked(const std::string& path) const {  // a folder, with its slash, when something in it is
    if (index == nullptr) return false;
    const auto find = path.ends_with('/') ? repository.git->index_find_prefix : repository.git->index_find;
    return find(nullptr, index.get(), path.c_str()) == 0;
  }
};

IgnoreRules::IgnoreRules(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
IgnoreRules::~IgnoreRules() = default;

Result<std::unique_ptr<IgnoreRules>> IgnoreRules::of(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(auto repository, open_around(files, folder));
  if (!repository) return nullptr;
  // An aggregate with a mutex can be made in place alone. NOLINTNEXTLINE(modernize-make-unique)
  auto inside = std::unique_ptr<Inside>(new Inside{files, std::move(*repository), {}, {}});
  return std::unique_ptr<IgnoreRules>(new IgnoreRules(std::move(inside)));
}

Result<bool> IgnoreRules::ignores(const std::string& absolute_path, bool is_folder) const {
  auto path = path_below(absolute_path, worktree());
  if (!path || path->empty()) return false;
  if (is_folder) *path += '/';  // spares libgit2 a stat, too
  const std::lock_guard lock(inside_->mutex);
  int ignored = 0;
  const Repository& repository = inside_->repository;
  if (repository.git->ignore_path_is_ignored(&ignored, repository.handle.get(), path->c_str()) != 0)
    return fail(repository.error("ask for the ignored files of"));
  if (ignored == 0) return false;
  if (!inside_->seen) TRY(inside_->read_index());
  return !inside_->is_tracked(*path);
}

std::optional<IgnoreRules::Index> IgnoreRules::index() const {
  const std::lock_guard lock(inside_->mutex);
  return inside_->seen;
}

std::vector<std::string> IgnoreRules::sources() const {
  const std::lock_guard lock(inside_->mutex);
  const Repository& repository = inside_->repository;
  const Library& git = *repository.git;
  const std::string common = git.repository_commondir(repository.handle.get());
  std::vector<std::string> sources = {
      path_join(common, "info/exclude"), path_join(common, "config"),
      path_join(git.repository_path(repository.handle.get()), "config.worktree")};
  const auto add = [&](int level, std::string_view name) {
    for (const std::string& folder : search_folders(git, level)) sources.push_back(path_join(folder, name));
  };
  add(GIT_CONFIG_LEVEL_GLOBAL, ".gitconfig");
  add(GIT_CONFIG_LEVEL_XDG, "config");
  add(GIT_CONFIG_LEVEL_XDG, "ignore");
  add(GIT_CONFIG_LEVEL_SYSTEM, "gitconfig");
  git_config* opened = nullptr;
  if (git.repository_config_snapshot(&opened, repository.handle.get()) == 0) {
    const Owned<git_config> config(opened, git.config_free);
    add_included(inside_->files, git, config.get(), sources);
    git_buf path = GIT_BUF_INIT;
    if (git.config_get_path(&path, config.get(), "core.excludesfile") == 0) {
      sources.push_back(path_join(worktree(), std::string_view(path.ptr, path.size)));
      git.buf_dispose(&path);
    }
  }
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  return sources;
}

const std::string& IgnoreRules::worktree() const { return inside_->repository.worktree; }

Result<std::optional<GitState>> git_state(const std::string& folder) {
  TRY_ASSIGN(const auto repository, open_around(real_file_system(), folder));
  if (!repository) return std::nullopt;
  GitState state;
  git_oid head;
  const int status = repository->git->reference_name_to_id(&head, repository->handle.get(), "HEAD");
  if (status == 0) {
    state.commit = commit_text(*repository->git, head);
  } else if (status != GIT_ENOTFOUND) {  // which is a branch without commits
    return fail(repository->error("read"));
  }
  state.branch = branch_of(*repository);
  TRY_ASSIGN(state.dirty, is_dirty(*repository));
  return std::optional(std::move(state));
}

// Renames are not looked for, so a renamed file is two: one deleted, one new.
Result<std::vector<std::string>> git_changed_since(const std::string& folder, const std::string& revision) {
  TRY_ASSIGN(const auto repository, open_around(real_file_system(), folder));
  if (!repository) {
    return fail(user_error(cat(quoted(folder), " lies in no git repository"),
                           "What changed is asked of git; run `git init` first"));
  }
  const Library& git = *repository->git;
  TRY_ASSIGN(const auto tree, tree_of(*repository, revision));
  git_diff_options options;
  git.diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags = GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS | GIT_DIFF_INCLUDE_TYPECHANGE;
  git_diff* made = nullptr;
  if (git.diff_tree_to_workdir_with_index(&made, repository->handle.get(),
                                          reinterpret_cast<git_tree*>(tree.get()), &options) != 0) {
    return fail(repository->error("compare"));
  }
  const Owned<git_diff> diff(made, git.diff_free);
  std::vector<std::string> changed;
  for (std::size_t i = 0; i < git.diff_num_deltas(diff.get()); ++i) {
    const git_diff_delta* delta = git.diff_get_delta(diff.get(), i);
    for (std::string_view path : {delta->old_file.path, delta->new_file.path}) {
      if (path.ends_with('/')) path.remove_suffix(1);  // a repository inside this one
      changed.push_back(path_join(repository->worktree, path));
    }
  }
  std::sort(changed.begin(), changed.end());
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  return changed;
}

struct GitSnapshot::Inside {
  Repository repository;
  Owned<git_object> tree;
  mutable std::mutex mutex;
};

GitSnapshot::GitSnapshot(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
GitSnapshot::~GitSnapshot() = default;

Result<std::unique_ptr<GitSnapshot>> GitSnapshot::of(const std::string& folder, const std::string& revision) {
  TRY_ASSIGN(auto repository, open_around(real_file_system(), folder));
  if (!repository) return nullptr;
  TRY_ASSIGN(auto tree, tree_of(*repository, revision));
  // An aggregate with a mutex can be made in place alone. NOLINTNEXTLINE(modernize-make-unique)
  auto inside = std::unique_ptr<Inside>(new Inside{std::move(*repository), std::move(tree), {}});
  return std::unique_ptr<GitSnapshot>(new GitSnapshot(std::move(inside)));
}

Result<std::optional<std::string>> GitSnapshot::read(const std::string& absolute_path) const {
  const Repository& repository = inside_->repository;
  const Library& git = *repository.git;
  const auto path = path_below(absolute_path, repository.worktree);
  if (!path || path->empty()) return std::nullopt;
  const std::lock_guard lock(inside_->mutex);
  git_tree_entry* found = nullptr;
  const auto* tree = reinterpret_cast<const git_tree*>(inside_->tree.get());
  const int status = git.tree_entry_bypath(&found, tree, path->c_str());
  if (status == GIT_ENOTFOUND) return std::nullopt;
  if (status != 0) return fail(repository.error("read"));
  const Owned<git_tree_entry> entry(found, git.tree_entry_free);
  if (git.tree_entry_type(entry.get()) != GIT_OBJECT_BLOB) return std::nullopt;
  git_object* opened = nullptr;
  if (git.tree_entry_to_object(&opened, repository.handle.get(), entry.get()) != 0)
    return fail(repository.error("read"));
  const Owned<git_object> object(opened, git.object_free);
  const auto* blob = reinterpret_cast<const git_blob*>(object.get());
  return std::string(static_cast<const char*>(git.blob_rawcontent(blob)),
                     static_cast<std::size_t>(git.blob_rawsize(blob)));
}

}  // namespace trainmake
