// What is remembered: results of steps, and runs of jobs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/artifact.h"
#include "engine/model/curve.h"
#include "engine/model/label.h"
#include "engine/model/manifest.h"

namespace trainmake {

// label → fingerprint, manifest, artifacts, when, by which version. Written last, in one transaction.
struct Record {
  Label label;
  Fingerprint fingerprint;
  Manifest manifest;
  Artifacts artifacts;
  std::int64_t when_ns = 0;
  std::string version;
  std::string run;  // of a job: the run whose result this is
};

enum class RunStatus : std::uint8_t { kQueued, kRunning, kSucceeded, kFailed, kCancelled, kLost, kUnknown };
std::string_view name_of(RunStatus status);
std::optional<RunStatus> parse_status(std::string_view name);
inline bool is_over(RunStatus status) {
  return status >= RunStatus::kSucceeded && status <= RunStatus::kLost;
}

struct RunOutput {
  std::string name;
  std::string path;
  std::uint64_t bytes = 0;
  std::string sha256;
};

// One submission of a job. Written as an intent (status queued, job empty) before anything is asked of the
// platform.
struct Run {
  std::string id;  // twelve hex digits, from label, fingerprint and attempt
  Label label;
  Fingerprint fingerprint;
  int attempt = 1;
  RunStatus status = RunStatus::kQueued;
  std::string platform;  // its name in TRAINSPACE.lua
  std::string key;       // the name it has there, derived from the id
  std::string job;       // the platform's own id, once it has one
  std::int64_t created_ns = 0;
  std::int64_t started_ns = 0;  // 0: not yet
  std::int64_t ended_ns = 0;
  std::optional<int> exit_code;
  std::string repeats;   // the id of the run that it repeats, of which it is no further attempt; "": none
  std::string reason;    // of a failure, or what makes the result doubtful
  bool reusable = true;  // false: its result is never taken again
  std::string params_json = "{}";
  std::map<std::string, double> metrics;
  Curves curves;  // of the metrics; put with the run, and given back by Runs::curves alone
  std::vector<RunOutput> outputs;
  std::string provenance_json = "{}";  // git commit and dirtiness, command, image, versions: how to repeat it
  Manifest manifest;
};

std::string run_id_of(const Label& label, const Fingerprint& fingerprint, int attempt);

}  // namespace trainmake
