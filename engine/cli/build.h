// `trainmake LABEL...`: load, resolve, plan, run, record.
#pragma once

#include <memory>

#include "engine/cli/report.h"
#include "engine/cli/session.h"

namespace trainmake {

// Returns the exit code.
int build(Session& session, const std::vector<std::string>& labels);

// JSON when that is asked for, a live display on a terminal, else plain lines.
std::unique_ptr<Reporter> make_reporter(Session& session);

}  // namespace trainmake
