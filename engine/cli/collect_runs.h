// Removes what finished runs left on this machine, but for the logs of the newest; and checkpoints that
// nobody came back to.
#pragma once

#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/cli/collect_garbage.h"
#include "engine/cli/tree_size.h"
#include "engine/model/record.h"

namespace trainmake {

// `runs`: all that are remembered, the newest first.
Result<Swept> collect_runs(Host& host, const std::string& cache_folder, const std::vector<Run>& runs,
                           const KeepOptions& keep);

}  // namespace trainmake
