// `trainmake LABEL...`: load, resolve, plan, run, record.
#pragma once

#include <stop_token>

#include "engine/cli/session.h"

namespace trainmake {

// Returns the exit code.
int build(Session& session, std::stop_token stop);

}  // namespace trainmake
