// Puts `***` for a job's secrets into what it prints, on the node and before it reaches the log: that lies on
// a disk of the cluster, and whoever reads it later does not know their values. Knows no Slurm.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/base/child.h"
#include "engine/base/redactor.h"

namespace trainmake {

inline constexpr const char* kHidingFlag = "--hiding";

// Passes on what `child` prints until it ends, and returns what it left with. SIGTERM to this process has
// `ask_to_end` called, again and again till then.
Result<int> pass_on(Child& child, Redactor redactor, const std::function<void()>& ask_to_end);

// Runs `command` in this process's environment, whose variables `secrets` names with commas in between are
// hidden.
Result<int> run_hiding(const std::string& secrets, const std::vector<std::string>& command);

}  // namespace trainmake
