// The course of a job's step: which run of it is taken, taken up or started, and what becomes of that,
// attempt after attempt. Knows nothing of what the job's result depends on. Thread rule: as Rule::execute.
#pragma once

#include "engine/model/rule.h"
#include "rules/job/job_plans.h"
#include "rules/job/services.h"
#include "rules/job/submissions.h"
#include "rules/job/upstream.h"
#include "rules/job/watcher.h"

namespace trainmake {

// Those of one rule, which share how they talk to the platform.
class Courses {
 public:
  Courses(const JobServices& services, Listings& listings);

  // REQUIRES: what the job needs is known.
  Result<Done> run(const Subject& subject, const Description& description, const Doing& doing);
  // What a platform would be asked to run, under no name. REQUIRES: as run.
  Result<JobSpec> spec_of(const Subject& subject, const Doing& doing);

 private:
  struct Choice;
  class Course;
  Result<Choice> choose(const Subject& subject, const Description& description, const JobPlan& plan,
                        bool afresh);

  const JobServices& services_;
  Listings& listings_;
  JobPlans plans_;
  // Where the platform takes many. Last, so that their threads end first.
  Submissions submissions_;
  Watcher watcher_;
};

}  // namespace trainmake
