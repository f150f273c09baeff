// A few steps of a job on this machine, before it is handed to a platform that costs money: what fails in the
// first minute fails here. Its memory is the local platform's own: one that passed stands there under a name
// that comes of the job's fingerprint, and is not run again while it does.
#pragma once

#include "rules/job/attempt.h"
#include "rules/job/platform.h"

namespace trainmake {

// `preflight` as declared.
struct RehearsalPlan {
  std::int64_t steps = 0;  // 0: there is none
  std::int64_t timeout_s = 600;
  Fields params;  // in place of the job's
};
RehearsalPlan rehearsal_of(const Target& job);

// The variable that tells a job how many steps it is to do.
inline constexpr const char* kStepsVariable = "TRAINMAKE_PREFLIGHT_STEPS";

// An error when it failed; nothing goes on of it then. `clock` is waited with.
Result<void> rehearse(Platform& here, Host& host, const JobPlan& plan, const RehearsalPlan& rehearsal,
                      const Doing& doing);

}  // namespace trainmake
