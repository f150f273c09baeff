// A job's declared outputs: looked for in its output folder, kept as blobs, and given back as files. An
// output that is a folder is every file in it, named `output/path`, and so is a link to a folder in it. Knows
// no platform.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "engine/model/graph.h"
#include "engine/model/manifest.h"
#include "engine/model/record.h"
#include "rules/job/left_files.h"

namespace trainmake {

// The attribute `outputs` as name → clean path; names without `/`, paths within the output folder.
std::map<std::string, std::string> declared_outputs(const Target& job);
std::vector<Error> wrong_outputs(const Value& declared);
// What a job computes, whatever of it is kept: that of its manifest but for `outputs`.
Fingerprint work_of_job(const Manifest& manifest);

struct KeptOutputs {
  std::vector<RunOutput> outputs;  // sorted by name
  // Not empty: what is wrong with what was left, for good, as "output `model` (model.txt) was not written".
  std::string wrong;
  bool is_missing = false;  // that is, nothing lies there
};
// An error is one of keeping, after which the same can be tried again.
Result<KeptOutputs> keep_outputs(const LeftFiles& left, Blobs& blobs,
                                 const std::map<std::string, std::string>& declared,
                                 const std::stop_token& stop);

// Paths of all that lies in its output folder, sorted; of a link to a folder its own.
Result<std::vector<std::string>> paths_in(const LeftFiles& left);

Artifacts artifacts_of(const std::vector<RunOutput>& outputs);
// Whether all blobs are there and of the right size, by stat alone; what is of a wrong size is as good as
// gone.
Result<bool> are_kept(FileSystem& files, const Blobs& blobs, const Artifacts& artifacts,
                      std::vector<std::pair<std::string, Stat>>& looked_at);
// Copies a run's outputs to `folder`, verified. `again` is typed behind `trainmake` to have them made anew.
Result<void> copy_outputs(Blobs& blobs, const Run& run, const std::string& again, const std::string& folder);

}  // namespace trainmake
