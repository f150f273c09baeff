// Removes what finished runs left on this machine, but for the logs of the newest; and checkpoints that
// nobody came back to.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/tree_size.h"
#include "engine/model/record.h"

namespace trainmake {

struct KeptOfRuns {
  std::size_t logs;                     // of so many, the newest
  std::chrono::hours young;             // checkpoints, and what a label's latest left under other names
  std::vector<std::string> notes = {};  // files that platforms go on to need, beside a log
};
// `runs`: all that are remembered, the newest first.
Result<Swept> collect_runs(Host& host, const std::string& cache_folder, const std::vector<Run>& runs,
                           const KeptOfRuns& keep);

}  // namespace trainmake
