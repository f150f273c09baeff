// What git knows: what it ignores, where HEAD is, what changed since a commit. The one place that talks to
// libgit2, which is loaded when first needed: a run that needs no git must not pay for it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_system.h"

namespace trainmake {

// The rules of one repository. Thread rule: one thread at a time (it locks itself).
class IgnoreRules {
 public:
  // nullptr when `folder` lies in no repository.
  static Result<std::unique_ptr<IgnoreRules>> of(FileSystem& files, const std::string& folder);
  ~IgnoreRules();
  // As git itself, which ignores nothing that is in its index, and no folder of it.
  Result<bool> ignores(const std::string& absolute_path, bool is_folder) const;
  // Files outside the tree itself whose change would change the answers (info/exclude, core.excludesFile,
  // configs and what they include), whether they exist or not. The tree's own .gitignore files are not
  // listed.
  std::vector<std::string> sources() const;
  // The index file as it was when it was read, which is once; nothing as long as no pattern ignored anything
  // and so no answer depended on it.
  struct Index {
    std::string path;
    Stat stat;
  };
  std::optional<Index> index() const;
  const std::string& worktree() const;  // absolute, no trailing slash

 private:
  struct Inside;
  explicit IgnoreRules(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

struct GitState {
  std::string commit;  // "" before the first
  std::string branch;
  bool dirty = false;  // tracked files differ from HEAD, or there are untracked ones that are not ignored
};
// An empty optional when `folder` lies in no repository.
Result<std::optional<GitState>> git_state(const std::string& folder);

// Absolute paths of files that differ between `revision` and the work tree as it is now: committed, staged,
// edited, untracked, deleted. An unknown revision is a user error with a hint.
Result<std::vector<std::string>> git_changed_since(const std::string& folder, const std::string& revision);

// The files of one commit, as they were. Thread rule: one thread at a time (it locks itself).
class GitSnapshot {
 public:
  // nullptr when `folder` lies in no repository; an unknown revision is a user error with a hint.
  static Result<std::unique_ptr<GitSnapshot>> of(const std::string& folder, const std::string& revision);
  ~GitSnapshot();
  // By absolute path; an empty optional when there was no such file.
  Result<std::optional<std::string>> read(const std::string& absolute_path) const;

 private:
  struct Inside;
  explicit GitSnapshot(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace trainmake
