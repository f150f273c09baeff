// Takes up a run where another client left it: watches it to its end, keeps what it left and remembers how it
// ended, as if that client had stayed. Needs no TRAINFILE: what the run was given and was to leave stands in
// its provenance.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "engine/cli/session.h"

namespace trainmake {

// REQUIRES: the step is held, and the state open to write. True when it ended, well; false when it was left
// running. An end that is none to be glad of is an error.
Result<bool> finish_run(Session& session, const Run& run, Reporter& reporter, std::stop_token stop);

// How those of `runs` ended that did so while nobody looked, and that no other trainmake watches, is
// remembered, as attach would. What cannot be now stays as it is. True when there is news in the state, which
// was opened to write then.
bool record_ended(Session& session, const std::vector<Run>& runs, std::stop_token stop);
// The same. REQUIRES: the workspace is held, and the state open to write.
void record_ended_while_held(Session& session, const std::vector<Run>& runs, std::stop_token stop);
// The run that `word` names, after that: of a label, which run's result it has may hang on it.
// REQUIRES: session.open_state.
Result<Run> find_settled_run(Session& session, const std::string& word, std::stop_token stop);
// Says on stderr when `word` is a label, and its latest run came to nothing since the one that it has.
Result<void> tell_of_later_failure(Session& session, const std::string& word, const Run& run);

}  // namespace trainmake
