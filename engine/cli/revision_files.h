// The file system as it was at a commit: files that differ since are read from git, everything else from
// disk. Read-only. What git ignores is as it is now, for git does not know how it was.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/git.h"

namespace trainmake {

class RevisionFiles final : public FileSystem {
 public:
  // `changed`: absolute paths of what differs.
  RevisionFiles(FileSystem& files, const GitSnapshot& snapshot, const std::vector<std::string>& changed)
      : files_(files), snapshot_(snapshot), changed_(changed.begin(), changed.end()) {}

  Result<Stat> look(const std::string& path, Links links) override;
  Result<void> look_at_all(const std::string& folder, std::span<const std::string_view> names,
                           std::span<Stat> into, Links links) override;
  Result<std::vector<FolderEntry>> list(const std::string& folder) override;
  Result<std::string> read_link(const std::string& path) override;
  Result<std::unique_ptr<FileReader>> open(const std::string& path) override;
  Result<std::unique_ptr<FileWriter>> create(const std::string& path, const WriteOptions& options) override;
  Result<std::unique_ptr<FileWriter>> extend(const std::string& path) override;
  Result<void> make_folder(const std::string& path) override;
  Result<void> make_link(const std::string& target, const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<bool> remove_empty_folder(const std::string& path) override;
  Result<void> sync_file(const std::string& path) override;
  Result<void> sync_disk(const std::string& path) override;
  Result<bool> create_exclusive(const std::string& path, std::string_view content) override;
  Result<std::optional<FileLock>> lock(const std::string& path, FileLock::Mode mode) override;

 private:
  std::vector<std::string> changed_below(const std::string& folder) const;

  FileSystem& files_;
  const GitSnapshot& snapshot_;
  std::set<std::string> changed_;
};

}  // namespace trainmake
