// What is wrong with the files that targets name, beside the errors that load and resolve found: so that all
// of a TRAINFILE's errors are told in one round. Runs nothing.
#pragma once

#include <utility>
#include <vector>

#include "engine/cli/session.h"

namespace trainmake {

// Of the targets of `graph`. Empty, too, when it cannot be told: there are errors enough.
std::vector<std::pair<Error, Label>> file_errors(Session& session, const Graph& graph);

}  // namespace trainmake
