// What keeps several trainmakes of one workspace out of each other's way: a lock on the workspace, which
// everything that writes shares and what tidies up holds alone, and one per target; of a job, one per label
// and work, so that another job of that label runs beside it. All go with the process that holds them.
#pragma once

#include <optional>
#include <stop_token>

#include "engine/base/file_system.h"
#include "engine/cli/session.h"

namespace trainmake {

// Waits, and says so; with --no-wait it is an error that ends with exit code 4.
Result<FileLock> hold_workspace(Session& session, FileLock::Mode mode, std::stop_token stop);
// An empty optional when another trainmake does this step.
Result<std::optional<FileLock>> try_hold_step(Session& session, const Label& label,
                                              const std::optional<Fingerprint>& work);
// The same of the step that a run is of, which whoever watches it holds.
Result<std::optional<FileLock>> try_hold_run(Session& session, const Run& run);

}  // namespace trainmake
