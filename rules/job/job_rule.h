// What a job means: which of its declaration its result depends on, how a run of it is found or made, and
// what it left. Knows platforms by their interface alone. Thread rule: as Rule.
#pragma once

#include <mutex>
#include <set>

#include "engine/model/rule.h"
#include "rules/job/attempt.h"
#include "rules/job/provenance.h"
#include "rules/job/services.h"
#include "rules/job/upstream.h"

namespace trainmake {

class JobRule final : public Rule {
 public:
  explicit JobRule(JobServices services);

  const Schema& schema() const override;
  Pool pool() const override { return Pool::kJobs; }
  Result<Description> describe(const Subject& subject) override;
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;
  Result<std::optional<Error>> failed_before(const Subject& subject, const Description& description) override;

 private:
  struct Choice;
  Result<void> check_data(const Subject& subject);
  Result<JobPlan> plan_of(const Subject& subject);
  Result<void> check_stored(const Subject& subject, const JobPlan& plan);
  Result<Choice> choose(const Subject& subject, const Description& description, const JobPlan& plan,
                        bool afresh);
  std::string label_here(const Target& target) const {
    return target.label.shortest_from(services_.workspace.here);
  }

  JobServices services_;
  Listings listings_;
  Provenance provenance_;
  std::mutex mutex_;
  std::set<Digest128> checked_;  // combinations of data in which no two files lie at one path
};

}  // namespace trainmake
