// A job that another trainmake runs, as whoever waits for it is told: its run, what that prints, and its end.
// Changes nothing.
#pragma once

#include <memory>

#include "engine/cli/session.h"
#include "engine/run/run.h"

namespace trainmake {

// Nothing for what is no job. REQUIRES: session.open_state and rules(); both stay.
OnlookerOf onlooker_of_jobs(Session& session);

}  // namespace trainmake
