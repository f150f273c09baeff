// How a run could be repeated, and taken up by who knows no TRAINFILE, or another one by now: commit,
// command, image, data, outputs, metrics, versions, as JSON. Knows no secrets.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/redactor.h"
#include "engine/model/record.h"
#include "rules/job/contract.h"
#include "rules/job/job_spec.h"
#include "rules/job/metrics.h"
#include "rules/job/upstream.h"

namespace trainmake {

// The trees of data that the run was given. Nothing when one of them is not in the cache any more.
Result<std::optional<std::vector<GivenTree>>> data_given_to(Listings& listings, const Run& run);
// Whether it was given data that it reads there.
bool reads_from(const Run& run, const std::string& store);
Metrics metrics_declared_of(const Run& run);  // when it was submitted

// What it was given, to give it again: all but its run and key. What is not there any more is an error, but
// for the files of the checkpoint that it went on from.
Result<JobSpec> spec_given_to(Listings& listings, const Run& run);
// What was said of the job for people alone, when it was submitted.
struct Remarks {
  std::vector<std::string> tags;
  std::string notes, memo;
};
Remarks remarks_of(const Run& run);
// What its trees of code were. Nothing when one of them is not in the cache any more.
Result<std::optional<std::set<std::string>>> code_given_to(Listings& listings, const Run& run);
// The blobs that say which files it was given.
std::vector<std::string> listings_of(const Run& run);
std::string contract_given_to(const Run& run);  // its version; "" when it is not known
// With marks of what the data was in its stores; `data` is that of the provenance.
std::string with_marks(const std::string& provenance_json, const std::vector<GivenTree>& data);
// With other outputs than those that were declared when it was submitted.
std::string with_outputs(const std::string& provenance_json,
                         const std::map<std::string, std::string>& outputs);
// With what the platform gets the image by.
std::string with_pulled_image(const std::string& provenance_json, const std::string& name);
struct ProvenanceOptions {
  const Contract& contract;
  const Value* metrics = nullptr;  // as declared
  std::string folder;              // of the project, absolute
  std::string platform;
  std::string version;      // of trainmake
  bool adds_flags = false;  // the platform, to the command that it is asked to run
  std::vector<std::string> tags = {};
  std::string notes = {};
};

// The provenance of a run that repeats another on the platform of that name and contract.
std::string provenance_of_repeat(const Run& original, const JobSpec& spec, const ProvenanceOptions& options);
// Where the run was that this one repeats; "" of one that repeats none.
std::string platform_repeated_by(const Run& run);

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
