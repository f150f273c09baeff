// Finds the run that a person names: by its id, a unique start of it, or a label. Asks the state alone: past
// runs are there whatever the TRAINFILE says now.
#pragma once

#include <string>

#include "engine/cli/session.h"

namespace trainmake {

// Which run of a label is meant.
enum class WhichRun : std::uint8_t {
  kResult,    // the one whose result the label has now, else its latest
  kInFlight,  // the latest that is not over as remembered; else one that came to nothing since; else as above
};

// REQUIRES: session.open_state.
Result<Run> find_run(Session& session, const std::string& word, WhichRun which = WhichRun::kResult);

Result<Run> run_of_label(State& state, const Label& label, std::string_view here, WhichRun which);
Result<Run> run_of_id(State& state, const std::string& start, std::string_view here);

bool is_label_like(std::string_view word);  // an id never is

}  // namespace trainmake
