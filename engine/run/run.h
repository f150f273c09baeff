// Does what a plan says: starts steps as soon as what they need is done, waits, records, and tells everything
// as events. Knows no kind of target. One thread, the caller's, owns the graph, memory and the events;
// workers take values and return values.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "engine/base/host.h"
#include "engine/plan/plan.h"

namespace trainmake {

struct RunOptions {
  unsigned parallel = 2;    // -j
  bool keep_going = false;  // -k
  bool wait = true;         // false: jobs are handed over, and a step that another trainmake does is an error
  std::string version = {};
};

// Between processes, one does a step at a time: the others wait and then find it done. Empty when somebody
// else holds it. The work is as Rule::work_of has it.
using StepLocker =
    std::function<Result<std::optional<FileLock>>(const Label&, const std::optional<Fingerprint>& work)>;

// Tells whoever waits for a step what comes of it at the other process that does it. Only used by the worker
// that waits.
class Onlooker {
 public:
  virtual ~Onlooker() = default;
  // Again and again; tells what is new. Whether there is something to be told of at all.
  virtual bool look() = 0;
  // When nobody else is at it any more, or this one is stopped: how it ended, or that it was left. Nothing
  // when it goes on, or was not seen.
  virtual std::optional<Result<Done>> end() = 0;
  virtual LogTold told() const = 0;
};
using OnlookerOf = std::function<std::unique_ptr<Onlooker>(const Target&, const Manifest&, const Doing&)>;

struct RunServices {
  const Decider& decider;
  Clock& clock;
  EventSink events;  // called on the caller's thread alone
  Tally& tally;
  StepLocker locker;                // may be empty: no other process
  std::function<void()> tick = {};  // called a few times a second while steps are at work; may be empty
  OnlookerOf onlooker = {};         // may be empty; a step of whose target it makes nothing is waited for
};

// `plan` has no errors. Returns when every step has come to its end, or, after a stop, when what ran has let
// go.
Summary run(const RunServices& services, Plan plan, const RunOptions& options, std::stop_token stop);

// The exit code of a run in which these went wrong.
int exit_code_of(const std::vector<Blame>& blames, bool interrupted);

}  // namespace trainmake
