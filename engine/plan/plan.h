// Decides: compares what targets depend on now with what is remembered, and says of each step what would
// happen and why. Changes nothing. Knows no kind of target: rules describe, memory remembers.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/model/memory.h"
#include "engine/model/rule.h"

namespace trainmake {

enum class Verdict : std::uint8_t { kRun, kMaybe, kUpToDate, kReuse, kFailed };
std::string_view name_of(Verdict verdict);  // run, maybe, up_to_date, reuse, failed

struct PlanOptions {
  bool force = false;  // what was asked for runs, whatever is remembered
  bool retry = false;  // what failed before is tried again
};

struct PlannedStep {
  Verdict verdict = Verdict::kRun;
  bool afresh = false;  // forced: an earlier result is not taken, whatever is remembered
  std::vector<Reason> reasons;
  Description description;
  Fingerprint fingerprint;
  std::uint64_t generation = 0;  // of memory, when it was decided
  // Of kUpToDate and kReuse: the result; of kFailed: nothing. That of kUpToDate has no manifest: it is the
  // description's.
  std::optional<Record> record;
  std::optional<Error> failure;  // of kFailed
  std::optional<TargetId> held_up_by =
      {};  // a step of kFailed below: this one waits until that is tried again

  bool may_run() const;              // on its own account, or on that of what it needs
  const Artifacts* outcome() const;  // what those who need it may count on; nullptr: cannot be told yet
};

struct Plan {
  std::vector<PlannedStep> steps;               // by TargetId
  std::vector<std::pair<Error, Label>> errors;  // bad input, found before anything runs
  Looks looks;  // empty when something will run: then there is nothing that they could prove

  std::optional<TargetId> failed() const;  // a step of kFailed: unless asked to keep going, a run begins none
};

// The state of one step, its inputs being known as far as they are. Called again when a step is ready and its
// inputs came out other than planned.
struct Decider {
  const Graph& graph;
  const Rules& rules;
  Memory& memory;
  PlanOptions options;

  // REQUIRES: the owner's thread. `looks` gains what was looked at to tell whether outputs are there.
  Result<PlannedStep> decide(const Subject& subject, Description description, Looks& looks) const;
};

// `threads` describe targets that need nothing; all else is done on the calling thread, memory's owner.
Plan make_plan(const Decider& decider, unsigned threads);

}  // namespace trainmake
