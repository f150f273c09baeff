// What two runs differ in, down to the files: where one's manifest says that an upstream changed, the
// upstream's own manifests are compared in its stead, as far as they are remembered.
#pragma once

#include <vector>

#include "cache/state.h"

namespace trainmake {

struct RunChange {
  Label label;  // the target whose manifest says so
  Reason reason;
};
Result<std::vector<RunChange>> changes_between(State& state, const Run& before, const Run& now);

}  // namespace trainmake
