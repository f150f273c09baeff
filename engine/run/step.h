// The state of a step while a plan is run, changed in one function. Drawn in engine/run/README.md.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/model/event.h"

namespace trainmake {

enum class StepState : std::uint8_t {
  kWaiting,     // something it needs is not done
  kDescribing,  // a worker looks at it again: what it needs came out other than planned
  kLocking,     // another process does it
  kRunning,     // a worker executes it
  kDone,
};

class StepProgress {
 public:
  StepState state() const { return state_; }
  std::optional<Outcome> outcome() const { return outcome_; }
  bool done() const { return state_ == StepState::kDone; }
  // The results that others may build on.
  bool usable() const {
    return outcome_ &&
           (*outcome_ == Outcome::kRan || *outcome_ == Outcome::kUpToDate || *outcome_ == Outcome::kReused);
  }

  void set(StepState state);  // REQUIRES: a later state than now, and not kDone
  void finish(Outcome outcome);

 private:
  StepState state_ = StepState::kWaiting;
  std::optional<Outcome> outcome_;
};

}  // namespace trainmake
