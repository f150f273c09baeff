// The files that an attribute like `srcs` or `files` means: patterns expanded, contents digested, keys given.
// What code, data and images share. Knows nothing of what the files are for. Thread rule: any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/file_digests.h"
#include "cache/listing.h"
#include "engine/base/git.h"
#include "engine/base/host.h"
#include "engine/model/looks.h"
#include "engine/model/project.h"
#include "engine/model/value.h"

namespace trainmake {

struct FileSetRequest {
  std::string folder;  // of the project, from the workspace's root
  const Value* files = nullptr;
  std::optional<std::string> root;  // given with `root = `
  std::string dest;
  Links links = Links::kKeep;
  bool gitignore = false;
  Location where;
  bool empty_folders = false;             // have keys, too
  std::vector<std::string> exclude = {};  // patterns: left out of every glob
  bool knows_url = false;                 // its target may name a folder elsewhere, as `url = "dir:..."`
};

struct FileSet {
  Listing files;                   // `source` is the path from the workspace's root; no sha256 yet
  std::vector<std::string> paths;  // of files, from the project's folder
  Looks looks;
  std::vector<std::size_t> keys;   // positions in files of those that hold a private key
  std::vector<std::string> notes;  // links to folders that were not walked, and the like
};

class FileSets {
 public:
  FileSets(Host& host, const Workspace& workspace, FileDigests& digests);
  Result<FileSet> read(const FileSetRequest& request);
  // Puts the files of a set into `blobs`: each has its sha256 then, and no source. An error when one is not
  // what was read any more.
  Result<Listing> store(Listing files, Blobs& blobs, const std::stop_token& stop);

 private:
  struct Gathered;
  Result<Gathered> gather(const FileSetRequest& request, const IgnoreRules* ignore);
  Result<const IgnoreRules*> ignore_rules(const std::string& folder);
  void look_at_ignore_files(const std::string& folder, const IgnoreRules& rules,
                            const std::vector<std::string>& folders, Looks& looks);
  void look_for_repositories(const std::string& folder, const IgnoreRules* rules, Looks& looks);
  void look_for_boundaries(const FileSetRequest& request, const std::vector<std::string>& patterns,
                           Looks& looks);

  Host& host_;
  const Workspace& workspace_;
  FileDigests& digests_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<IgnoreRules>>
      ignores_;  // by project folder; null outside a repository
};

}  // namespace trainmake
