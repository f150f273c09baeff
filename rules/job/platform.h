// Where jobs run: what the job rule asks of every platform. A room below platforms/ renders a JobSpec into
// what its scheduler takes, parses what that says, and does the talking; tests/support/platform_conformance.h
// holds all of them, and the fake one, to what stands here. Thread rule: any thread, several jobs at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/record.h"
#include "rules/job/job_spec.h"

namespace trainmake {

// What a platform is, as data.
struct PlatformTraits {
  std::string contract;         // what a job sees there; part of its fingerprint
  bool reads_in_place = false;  // data is read where it lies, and may change under a job
  bool reads_stores = false;    // data is read from its store, and what is only there need not come here
  bool one_node = false;        // a job has one node, whatever it asks for
  bool is_near = false;         // to ask how a job goes costs next to nothing
};

// A job as a platform can find it again: by its name, whether or not an id of the platform's own came back.
struct JobHandle {
  std::string run;
  std::string key;
  std::string job;  // the platform's own id, or ""

  static JobHandle of(const Run& run) { return {run.id, run.key, run.job}; }
};

struct JobStatus {
  bool known = true;  // false: the platform knows no job of this name
  RunStatus status = RunStatus::kQueued;
  std::int64_t started_ns = 0, ended_ns = 0;
  std::optional<int> exit_code;
  std::string reason;  // of an end that is no success: "exit code 3"
};

class Platform {
 public:
  explicit Platform(PlatformTraits what) : traits(std::move(what)) {}
  virtual ~Platform() = default;
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  // Starts the job unless one of this key was started before: however often it is asked, one starts. Returns
  // the platform's own id. An error that blames the remote leaves open whether it started; any other says
  // that it did not.
  virtual Result<std::string> submit(const JobSpec& spec, const Secrets& secrets) = 0;
  // An error says nothing of the job.
  virtual Result<JobStatus> poll(const JobHandle& job) = 0;
  // Up to `limit` bytes of what it printed, from `offset`, which counts from the end when negative. Empty:
  // nothing more yet.
  virtual Result<std::string> read_log(const JobHandle& job, std::int64_t offset, std::size_t limit) = 0;
  // Asks it to end; poll tells when it has. Fine when it is over; of one that is lost, nothing goes on
  // afterwards, or it is an error. One that was not started never will be.
  virtual Result<void> cancel(const JobHandle& job) = 0;
  // A folder on this machine with what it left in its output folder.
  virtual Result<std::string> outputs(const JobHandle& job) = 0;
  // Its end is remembered; `stored` (paths in its output folder) are kept elsewhere. Drops what nobody needs
  // any more.
  virtual Result<void> settled(const JobHandle& job, RunStatus end,
                               const std::vector<std::string>& stored) = 0;

  const PlatformTraits traits;
};

}  // namespace trainmake
