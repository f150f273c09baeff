// Labels and folders that a word on the command line may become, in the form in which it was begun. Made to
// be quick: it loads the one project that the word leads to, and looks a little way for others.
#pragma once

#include <string>
#include <vector>

#include "engine/cli/session.h"

namespace trainmake {

// Sorted; folders end with `/`. What cannot be read is left out.
std::vector<std::string> label_candidates(Session& session, const std::string& word);

}  // namespace trainmake
