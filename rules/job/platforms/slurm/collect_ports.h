// Gives back ports of nodes that jobs of this user took and could not give back: those whose job Slurm does
// not have any more. Whose jobs they were does not matter otherwise.
#pragma once

#include <string>

#include "engine/base/host.h"
#include "engine/base/tree_size.h"

namespace trainmake {

// None where Slurm does not answer.
Result<Swept> collect_ports(Host& host, const std::string& shared_dir);

}  // namespace trainmake
