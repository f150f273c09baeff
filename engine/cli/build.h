// `trainmake LABEL...`: load, resolve, plan, run, record.
#pragma once

#include "engine/cli/session.h"

namespace trainmake {

// Returns the exit code.
int build(Session& session);

}  // namespace trainmake
