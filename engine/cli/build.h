// `trainmake LABEL...`: load, resolve, plan, run, record.
#pragma once

#include <memory>

#include "engine/cli/report.h"
#include "engine/cli/session.h"

namespace trainmake {

// All that is asked for, or of one target only what it needs, made as for that.
enum class Extent : std::uint8_t { kAll, kNeeds };

// Returns the exit code.
int build(Session& session, const std::vector<std::string>& labels, Extent extent = Extent::kAll);

// JSON when that is asked for, a live display on a terminal, else plain lines.
std::unique_ptr<Reporter> make_reporter(Session& session);

}  // namespace trainmake
