// A job in a container of its image, on the node where Slurm started it. The script of the job runs it, with
// nothing but files that the client left in the shared folder. Knows no Slurm: what that says is the job's to
// hear, like all else that its environment holds.
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"

namespace trainmake {

inline constexpr const char* kOnNodeFlag = "--on-node";

// Runs what the order at `path` says to its end, with `more` arguments behind its own, and returns what that
// left with. SIGTERM asks it to end.
Result<int> run_on_node(const std::string& path, const std::vector<std::string>& more);

}  // namespace trainmake
