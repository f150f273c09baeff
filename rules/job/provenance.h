// How a run could be repeated, and taken up by who knows no TRAINFILE, or another one by now: commit,
// command, image, data, outputs, metrics, versions, as JSON. Knows no secrets.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/redactor.h"
#include "engine/model/record.h"
#include "rules/job/job_spec.h"
#include "rules/job/metrics.h"
#include "rules/job/upstream.h"

namespace trainmake {

// The trees of data that the run was given. Nothing when one of them is not in the cache any more.
Result<std::optional<std::vector<GivenTree>>> data_given_to(Listings& listings, const Run& run);
// Whether it was given data that it reads there.
bool reads_from(const Run& run, const std::string& store);
Metrics metrics_declared_of(const Run& run);  // when it was submitted

struct ProvenanceOptions {
  const Value* metrics = nullptr;  // as declared
  std::string folder;              // of the project, absolute
  std::string platform;
  std::string contract;
  std::string version;  // of trainmake
};

// Asks git once per folder: the jobs of a sweep are of one commit. Thread rule: any thread.
class Provenance {
 public:
  // Without what `redactor` hides, should the TRAINFILE have spelled it out.
  std::string json_of(const JobSpec& spec, const Redactor& redactor, const ProvenanceOptions& options);

 private:
  std::string git_json(const std::string& folder);

  std::mutex mutex_;
  std::map<std::string, std::string> git_;
};

}  // namespace trainmake
