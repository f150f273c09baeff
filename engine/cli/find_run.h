// Finds the run that a person names: by its id, a unique start of it, its job's id on the platform, or a
// label. Asks the state alone: past runs are there whatever the TRAINFILE says now.
#pragma once

#include <functional>
#include <string>

#include "engine/cli/session.h"

namespace trainmake {

// Which run of a label is meant.
enum class WhichRun : std::uint8_t {
  kResult,      // the one whose result the label has now, else its latest
  kLatest,      // the latest that goes on; else one that came to nothing since the result; else as above
  kUnfinished,  // the latest whose end is not remembered; else as above
};

// REQUIRES: session.open_state.
Result<Run> find_run(Session& session, const std::string& word, WhichRun which = WhichRun::kResult);

// `goes_on` is asked of runs whose end is not remembered.
Result<Run> run_of_label(State& state, const Label& label, std::string_view here, WhichRun which,
                         const std::function<bool(const Run&)>& goes_on);
Result<Run> run_of_id(State& state, const std::string& start, std::string_view here);

bool is_label_like(std::string_view word);  // an id never is

}  // namespace trainmake
