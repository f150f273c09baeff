// Why a step runs, followed upstream: where a reason is that something upstream changed, that one's own
// reasons, down to files and parameters. Pure.
#pragma once

#include <vector>

#include "engine/cli/run_inputs.h"
#include "engine/plan/plan.h"

namespace trainmake {

struct Cause {
  TargetId of = 0;        // the target whose reason it is
  std::size_t depth = 0;  // 0: the step's own
  Reason reason;
};

// The step's own reasons, each followed by what is below it; a target is looked into once. What is up to date
// by now is compared with what it was for the step's last result, when `before` knows it.
std::vector<Cause> causes_of(const Graph& graph, const Plan& plan, TargetId step, const RunInputs& before);

}  // namespace trainmake
