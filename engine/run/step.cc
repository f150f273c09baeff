#include "engine/run/step.h"

#include "engine/base/error.h"

namespace trainmake {

void StepProgress::set(StepState state) {
  CHECK(state > state_ && state != StepState::kDone);
  state_ = state;
}

void StepProgress::finish(Outcome outcome) {
  CHECK(state_ != StepState::kDone);
  state_ = StepState::kDone;
  outcome_ = outcome;
}

}  // namespace trainmake
