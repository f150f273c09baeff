// Secrets of a job must not stand in what it is told otherwise.
#pragma once

#include "engine/base/secrets.h"
#include "engine/model/graph.h"

namespace trainmake {

// A value that stands in what the job is told would be kept with its record, its order and its params: a user
// error.
Result<void> check_secrets_untold(const Environment& environment, const Target& target);

}  // namespace trainmake
