// Code, data and programs below the shared folder, by content: what is there under a digest is whole, so that
// any number of jobs, of several trainmakes at once, share it. Knows no job. Thread rule: any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "engine/base/host.h"
#include "engine/model/project.h"
#include "rules/job/job_spec.h"
#include "rules/job/platforms/slurm/placed_trees.h"
#include "rules/job/platforms/slurm/slurm_run.h"

namespace trainmake {

class SharedFiles {
 public:
  SharedFiles(Host& host, const Workspace& workspace, Blobs& blobs, std::string top);

  // Below the shared folder, which workspaces share: what is this one's, and goes where its memory goes.
  Result<std::string> home(const char* what);
  // Where a run lies: here, or below a shared folder that the platform had when it was handed over.
  Result<std::string> run_folder(const std::string& run);
  // One that this workspace used besides and that is not to be seen; what lies there cannot be told.
  Result<std::optional<std::string>> other_away();
  // Says that nothing of it is to be expected any more, as a command.
  std::string forget_other(const std::string& top) const;
  // Held while trees are placed, until it is written down which run needs them: who tidies up waits for that.
  Result<FileLock> hold();
  // Made here where it is not mounted, it would be another one than that of the nodes.
  Result<void> check_there();
  // An error that blames the remote while what this workspace made there is not to be seen: the folder is not
  // mounted, or is an empty mount point. Nothing can be told of runs then, and none handed over.
  enum class Made : std::uint8_t { kIfRemembered, kSurely };
  Result<void> check_home(Made made);
  // Once it is there, it is remembered that it was.
  Result<void> make_home();
  // The folder of a tree, placed there unless it is there and right. Code has modes and links of its own;
  // data is links to files that other trees share.
  Result<std::string> place_code(const Listing& code, const Patience& patience = {});
  enum class Seen : std::uint8_t { kWhereItLies, kInContainer };
  Result<std::string> place_data(const std::vector<GivenTree>& trees, Seen seen,
                                 const Patience& patience = {});
  // A program of this machine, for its like among the nodes.
  Result<std::string> place_program(const std::string& program);
  // At which nodes show a job its run's.
  Result<void> make_seen_checkpoint();
  // The run's own, with what it resumes from.
  Result<void> place_checkpoint(const JobSpec& spec, const std::string& folder,
                                const Patience& patience = {});

 private:
  std::string home_made(const std::string& top) const;  // where that is remembered
  Result<std::vector<std::string>> others();

  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
  std::string top_;
  std::mutex mutex_, making_home_;
  std::string id_;             // of the workspace, once it was looked up
  bool is_home_made_ = false;  // and remembered
  std::optional<std::vector<std::string>> others_;
  std::map<std::string, Digest128> programs_;  // that were read
  PlacedTrees trees_;
};

// What the links of data lead to, here and in containers.
std::string content_folder(const std::string& shared_dir);
inline constexpr const char* kContentInContainer = "/run/trainmake/content";

// Below it lie the ports of nodes that jobs have: links by their addresses, whose texts are the jobs'
// numbers.
std::string ports_folder(const std::string& shared_dir);

// A run's own, until it succeeded: then it lies with what else the run left.
std::string own_checkpoint_folder(const SlurmRun& run);

// Where a process of any run sees its own, on nodes that can show it there.
std::string checkpoint_seen_folder(const std::string& shared_dir);

// What everybody who places something in a shared folder holds together, and who tidies up alone.
std::string shared_lock(const std::string& shared_dir);

// Digits that nobody else comes up with.
std::string random_name();

}  // namespace trainmake
