// How a run begins: as an intent, remembered before anything is asked of the platform. What no other try
// heals is found before there is one. Thread rule: on the owner's thread.
#pragma once

#include "rules/job/attempt.h"
#include "rules/job/preflight.h"
#include "rules/job/services.h"

namespace trainmake {

// `run` says whose it is: label, fingerprint, manifest, and the run that it repeats.
Result<Run> make_intent(const JobServices& services, const JobPlan& plan, const Applicant& job, Run run);

}  // namespace trainmake
