// What a platform is asked to run for a job, of what is declared and of what its needs came to; and that its
// store and its image are there for that. Knows no runs. Thread rule: any thread.
#pragma once

#include "engine/model/rule.h"
#include "rules/job/attempt.h"
#include "rules/job/provenance.h"
#include "rules/job/services.h"
#include "rules/job/upstream.h"

namespace trainmake {

class JobPlans {
 public:
  JobPlans(const JobServices& services, Listings& listings) : services_(services), listings_(listings) {}

  // REQUIRES: what the job needs is known.
  Result<JobPlan> plan_of(const Subject& subject);
  // A job would read whatever lies in the store by then.
  Result<void> check_stored(const Subject& subject, JobPlan& plan, const Doing& doing);
  // Where jobs run in it here it is fetched and unpacked, and where their machines get it themselves it is
  // there for them.
  Result<void> have_image(const Subject& subject, JobPlan& plan, const Doing& doing);

 private:
  Result<void> add_code(const Subject& subject, JobSpec& spec);
  Result<void> add_said(const Target& target, JobSpec& spec);
  Result<void> add_data(const Subject& subject, JobSpec& spec);

  const JobServices& services_;
  Listings& listings_;
  Provenance provenance_;
};

}  // namespace trainmake
