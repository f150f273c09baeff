// What was edited of a job since one of its runs, of that which says how much it may use and not what comes
// of it: it changes no fingerprint. Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/model/graph.h"
#include "engine/model/record.h"

namespace trainmake {

// "memory is 1G now, was 100M", of each. Nothing of a run that does not say what it was given.
std::vector<std::string> new_limits(const Target& job, const Run& run);

}  // namespace trainmake
