// Where jobs run: what the job rule asks of every platform. A room below platforms/ renders a JobSpec into
// what its scheduler takes, parses what that says, and does the talking; tests/support/platform_conformance.h
// holds all of them, and the fake one, to what stands here. Thread rule: any thread, several jobs at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/record.h"
#include "rules/job/contract.h"
#include "rules/job/job_spec.h"

namespace trainmake {

// What a platform is, as data.
struct PlatformTraits {
  Contract contract;            // what a job sees there; its version is part of the fingerprint
  bool reads_in_place = false;  // data is read where it lies, and may change under a job
  bool reads_stores = false;    // data is read from its store, and what is only there need not come here
  bool one_node = false;        // a job has one node, whatever it asks for
  bool is_near = false;         // to ask how a job goes costs next to nothing
  bool runs_images = false;     // a job runs in its image, unpacked by this machine
  std::string layers = {};      // where to: "" is where this machine has them for itself
  std::string variant = {};     // of the image, whatever the job's resources say
  bool pulls_images = false;    // its machines get the image from a registry, which has to have it
  bool hides_secrets = true;    // false: whoever sees a job there sees all that it is given
  bool rents_nodes = false;     // by `node_type`, for `hours`: elsewhere these have no effect
  bool adds_flags = false;      // its machines run what it is asked for with the contract's flags behind
  bool takes_many = false;  // jobs wait for their turn there: all that are ready are handed over, together
};

// Whether a job there has the variant of its image that is for accelerators.
inline bool is_accelerated(const PlatformTraits& traits, const Table& resources) {
  return traits.variant.empty() ? accelerators_of(resources) > 0 : traits.variant == "gpu";
}

// What it has of the resources that a job asks for: the variant for processors no accelerators, and that for
// accelerators as many as the `node_type`.
Table resources_there(const PlatformTraits& traits, Table resources);

// Told in a few words what takes long.
using Say = std::function<void(std::string text)>;

// Of whoever asks for something that may have to be waited for.
struct Patience {
  std::stop_token stop = {};  // ends the waiting
  Say say = nullptr;          // hears of it
};

// Where `stop` ended the copying of what a job needs: who started nothing else says so.
inline void tell_not_started(const Say& say) {
  if (say) say("Interrupted while its files were copied: nothing of it was started");
}

// What a job is started with.
struct Submission {
  JobSpec spec;
  Secrets secrets;
  Patience patience = {};
};

// A job as a platform can find it again: by its name, whether or not an id of the platform's own came back.
struct JobHandle {
  std::string run;
  std::string key;
  std::string job;  // the platform's own id, or ""

  static JobHandle of(const Run& run) { return {run.id, run.key, run.job}; }
};

struct JobStatus {
  bool known = true;        // false: the platform knows no job of this name
  bool may_appear = false;  // one that is not known: it was asked for a moment ago, and may still come
  RunStatus status = RunStatus::kQueued;
  std::int64_t started_ns = 0, ended_ns = 0;
  std::optional<int> exit_code;
  std::string reason;  // of an end that is no success: "exit code 3"
};

// What is known of a job before anything is done for it.
struct Outlook {
  Table resources;
  std::int64_t timeout_s = 0;
  Table distribution = {};
  std::vector<GivenTree> data = {};       // without files; `store` is where it will lie, when that is known
  std::optional<std::string> image = {};  // how a registry will call it, without its tag; "" is none
};

// What a platform knows of a job that no other says: `tensorboard`, and where that is.
struct Fact {
  std::string name, text;
};

// Of the folders that a job writes to. A checkpoint need not be there; "" is none, or of logs none beside the
// output. The last is the path at which the run itself saw its checkpoint folder, "" where it is no other.
enum class Left : std::uint8_t { kOutput, kCheckpoint, kLogs, kCheckpointSeen };

struct LeftRequest {
  Left what = Left::kOutput;
  // Paths in the output folder that are wanted beside what was declared as outputs: where it comes from
  // outside, nothing else is brought.
  std::vector<std::string> files = {};
  std::stop_token stop = {};
};

struct LogPiece {
  std::int64_t offset = 0;  // counts from the end when negative
  std::size_t limit = 0;    // bytes
  std::stop_token stop = {};
};

// What only the platform itself can tell is asked before a run, never by a plan alone.
enum class Asking : std::uint8_t { kNobody, kPlatform };

// Where it cannot be told whether a job started, or how it goes.
inline Error not_told(Error error) {
  return error.blame == Blame::kInterrupted ? std::move(error) : std::move(error).because(Blame::kRemote);
}

class Platform {
 public:
  explicit Platform(PlatformTraits what) : traits(std::move(what)) {}
  virtual ~Platform() = default;
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  // Starts each job unless one of its key was started before: however often it is asked, one starts. Returns
  // the platform's own ids, in their order. An error that blames the remote and does not last, or an
  // interruption, leaves open whether it started; any other says that it did not.
  virtual std::vector<Result<std::string>> submit_all(const std::vector<Submission>& jobs) = 0;
  Result<std::string> submit(const JobSpec& spec, const Secrets& secrets) {
    return std::move(submit_all({{spec, secrets}}).front());
  }
  // An error says nothing of the job.
  virtual Result<JobStatus> look_at(const JobHandle& job, const Patience& patience) = 0;
  Result<JobStatus> poll(const JobHandle& job, const Patience& patience = {}) {
    return look_at(job, patience);
  }
  // Of what it printed. Empty: nothing more yet.
  virtual Result<std::string> read_log(const JobHandle& job, const LogPiece& piece) = 0;
  // Asks each to end; poll tells when it has. Fine when it is over; of one that is lost, nothing goes on
  // afterwards, or it is an error. One that was not started never will be. The answers are in their order.
  virtual std::vector<Result<void>> cancel_all(const std::vector<JobHandle>& jobs,
                                               const Patience& patience) = 0;
  Result<void> cancel(const JobHandle& job, const Patience& patience = {}) {
    return std::move(cancel_all({job}, patience).front());
  }
  // A folder on this machine with what it left; of one that goes on, with what it has by now, and that is
  // never taken for what it leaves.
  virtual Result<std::string> left(const JobHandle& job, const LeftRequest& wanted) = 0;
  // Where `left` would bring alone what is wanted: the paths of all that lies in its output folder, for a
  // request or so.
  virtual Result<std::vector<std::string>> paths_left(const JobHandle& job, const std::stop_token& stop) {
    (void)job;
    (void)stop;
    return std::vector<std::string>();
  }
  // Its end is remembered; `stored` (paths in its output folder) are kept elsewhere. Drops what nobody needs
  // any more.
  virtual Result<void> settled(const JobHandle& job, RunStatus end,
                               const std::vector<std::string>& stored) = 0;
  // Of one that reads stores: whether this job reads its data there, or a copy of its own, which nobody
  // replaces.
  virtual bool reads_at_store(const JobSpec& spec) const {
    (void)spec;
    return traits.reads_stores;
  }
  // Whether it could, and would, ever start such a job; said before anything is done for one. Where a service
  // does not answer, nothing is wrong.
  virtual Result<void> admits(const Outlook& job, Asking asking) = 0;
  // For a person who looks at one job.
  virtual Result<std::vector<Fact>> facts(const JobHandle& job, const std::stop_token& stop) {
    (void)job;
    (void)stop;
    return std::vector<Fact>();
  }

  const PlatformTraits traits;
};

}  // namespace trainmake
