// What a job means: which of its declaration its result depends on, what is wrong with it, and whether an
// earlier result or failure holds. What becomes of it when it is run is told by course.h. Thread rule: as
// Rule.
#pragma once

#include <mutex>
#include <set>

#include "engine/model/rule.h"
#include "rules/job/course.h"
#include "rules/job/outputs.h"
#include "rules/job/preflight.h"
#include "rules/job/python_check.h"
#include "rules/job/services.h"
#include "rules/job/upstream.h"

namespace trainmake {

class JobRule final : public Rule {
 public:
  explicit JobRule(JobServices services);

  const Schema& schema() const override;
  Pool pool() const override { return Pool::kJobs; }
  std::vector<std::pair<Error, Label>> before_run(const Graph& graph, const EventSink& events) override;
  Result<Description> describe(const Subject& subject) override;
  std::optional<Fingerprint> work_of(const Manifest& manifest) const override {
    return work_of_job(manifest);
  }
  Result<void> preflight(const Subject& subject) override;
  // What a platform would be asked to run, under no name. REQUIRES: what the job needs is known.
  Result<JobSpec> spec_of(const Subject& subject, const Doing& doing);
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;
  Result<std::optional<Error>> failed_before(const Subject& subject, const Description& description) override;

 private:
  Result<void> check_data(const Subject& subject);
  Result<void> ask_platform(const Subject& subject, const Applicant& job);
  Result<void> check_lacks(const Subject& subject, const Applicant& job, const Entry& entry);
  Result<bool> may_be_reused(const Subject& subject);
  Result<bool> could_be_of(const Subject& subject, const Description& now, const Run& run);

  JobServices services_;
  Asking asking_ = Asking::kNobody;  // until it is known that what is planned is also done
  EventSink tell_;                   // hears of a platform that is waited for then; once
  Listings listings_;
  PythonCheck python_;
  std::mutex mutex_;
  std::set<Digest128> checked_;  // combinations of data in which no two files lie at one path
  Courses courses_;              // last, so that its threads end first
};

}  // namespace trainmake
