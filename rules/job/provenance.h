// How a run could be repeated, and taken up by who knows no TRAINFILE: commit, command, image, data, outputs,
// versions, as JSON. Knows no secrets.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "rules/job/job_spec.h"
#include "rules/job/redactor.h"

namespace trainmake {

struct ProvenanceOptions {
  std::string folder;  // of the project, absolute
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
