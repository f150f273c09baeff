// Trees of files below the shared folder, each by its content: placed whole, and looked at before a job is
// given one that was there. What is missing or differs is placed again from here, what is too much goes. An
// edit that keeps size and mtime is not seen. Knows no job. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/base/host.h"
#include "engine/model/project.h"
#include "rules/job/platform.h"
#include "rules/job/platforms/slurm/tree_faults.h"

namespace trainmake {

// A file with bytes, of a tree or that one of its links leads to.
struct PlacedFile {
  std::string path;  // below the tree, or in full
  const ListedFile* file = nullptr;
  std::string owner;  // whose it is, for the error when its bytes are gone
};

struct SharedTree {
  std::vector<TreeEntry> entries;
  std::vector<PlacedFile> files;  // each path once
};

// What a file of the shared folder is known by, wherever it lies there. One that is read in place has no
// SHA-256: it was read to be compared, and is read once more while it is copied.
std::string content_name(const ListedFile& file);

class PlacedTrees {
 public:
  PlacedTrees(Host& host, const Workspace& workspace, Blobs& blobs, std::string top)
      : host_(host), workspace_(workspace), blobs_(blobs), top_(std::move(top)) {}

  // Its folder. One that is there is looked at once an hour by each trainmake that gives it to jobs.
  // `tree` is asked for when there is something to look at. What was placed of one that is interrupted stays.
  Result<std::string> place(const std::string& name, const std::function<SharedTree()>& tree,
                            const Patience& patience);

 private:
  struct Looked {
    std::mutex looking;
    std::int64_t when_ns = 0;  // steady; 0 is never
  };
  struct Faults {
    TreeFaults tree;
    std::vector<std::size_t> files;  // of SharedTree::files
    bool none() const { return files.empty() && tree.missing.empty() && tree.surplus.empty(); }
  };
  class LongLook;

  Looked& looked(const std::string& name);
  Result<Faults> look(const SharedTree& tree, const std::string& folder, const Patience& patience);
  Result<std::vector<std::size_t>> damaged(const SharedTree& tree, const std::string& folder, LongLook& look);
  bool is_right(const PlacedFile& placed, const std::string& path, const std::stop_token& stop);
  bool has_its_content(const ListedFile& file, const std::string& path, const std::stop_token& stop);
  Result<void> make(const SharedTree& tree, const std::string& folder, const Patience& patience);
  Result<void> mend(const SharedTree& tree, const std::string& folder, const Patience& patience);
  static bool changes_folders(const SharedTree& tree, const Faults& faults);
  Result<void> open_folders(const SharedTree& tree, const std::string& folder);
  Result<void> fill(const SharedTree& tree, const std::string& folder, const Faults& faults,
                    const Patience& patience);
  Result<void> check_room_for(const SharedTree& tree, const Faults& faults);
  Result<void> copy(const PlacedFile& placed, const std::string& to, const Copying& copying);
  Result<void> copy_in_place(const PlacedFile& placed, const std::string& to, const Copying& copying);

  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
  std::string top_;
  std::mutex mutex_;
  std::map<std::string, Looked> looked_;
};

}  // namespace trainmake
