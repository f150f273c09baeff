// Removes from a shared folder what nobody needs any more: what this workspace's runs left, and, of what all
// workspaces share, trees that no run in flight was given and that were not used for long, and files of no
// tree. Nobody places anything meanwhile (SharedFiles::hold). Knows no Slurm.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/tree_size.h"
#include "engine/model/project.h"
#include "engine/model/record.h"

namespace trainmake {

struct KeepShared {
  std::size_t logs = 50;              // of the newest runs
  std::chrono::hours young{24 * 30};  // trees that nobody used for so long
  std::chrono::hours copies{24};      // what a run left waits so long for copies of this memory
};

// `runs` is what is remembered, the newest first. `shared.bytes` counts what is not of a run.
struct SharedSwept {
  Swept runs;
  Swept shared;
  bool is_busy = false;  // somebody places files there: what is shared was left alone
};
Result<SharedSwept> collect_shared(Host& host, const Workspace& workspace, const std::string& shared_dir,
                                   const std::vector<Run>& runs, const KeepShared& keep);

}  // namespace trainmake
