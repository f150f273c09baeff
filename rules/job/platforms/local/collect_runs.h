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

// `runs`: all that are remembered, the newest first; the logs of the newest are kept, and checkpoints that
// are young.
Result<Swept> collect_runs(Host& host, const std::string& cache_folder, const std::vector<Run>& runs,
                           std::size_t logs, std::chrono::hours young);

}  // namespace trainmake
