// Whether the processes that a job asks for can be started at all, before anything is. Pure.
#pragma once

#include "engine/model/graph.h"
#include "rules/job/platform.h"

namespace trainmake {

// True when they have a distribution.
Result<bool> check_processes(const Target& job, const PlatformTraits& traits);

}  // namespace trainmake
