#include "rules/job/intent.h"

#include "engine/base/secrets.h"
#include "engine/base/text.h"

namespace trainmake {

Result<Run> make_intent(const JobServices& services, const JobPlan& plan, const Applicant& job, Run run) {
  TRY(check_platform(services, job, Asking::kPlatform));
  if (auto secrets = secrets_of(services.host.environment, job.secrets, plan.shortest); !secrets)
    return fail(std::move(secrets).error().at(job.secrets_at));
  TRY_ASSIGN(run.attempt, services.runs.next_attempt(run.label, run.fingerprint));
  for (;; ++run.attempt) {
    run.id = run_id_of(run.label, run.fingerprint, run.attempt);
    // One whose outputs were declared as others since has another fingerprint by now.
    TRY_ASSIGN(const std::optional<Run> known, services.runs.get(run.id));
    if (!known) break;
  }
  run.key = cat("trainmake-", run.id);
  run.platform = services.platform_name;
  run.created_ns = services.host.clock.now_ns();
  run.params_json = plan.params_json;
  run.provenance_json = plan.provenance_json;
  TRY(services.runs.put(run));
  return run;
}

}  // namespace trainmake
