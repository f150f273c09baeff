// What a run read where it lay and what is another by now, found again by its content: among the blobs of the
// cache, and in the stores that its data was ever sent to. Touches nothing in the working tree.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "engine/cli/session.h"
#include "rules/job/job_spec.h"

namespace trainmake {

struct BroughtBack {
  std::size_t files = 0;            // that are blobs now
  std::vector<std::string> gone;    // paths, from their projects' folders, of what is nowhere
  std::vector<std::string> stores;  // that were looked into, by name
  std::string trouble;              // of a store that could not be asked
};

// Puts blobs in the place of files that are another by now. REQUIRES: session.open_state, and the workspace
// is held.
Result<BroughtBack> bring_back(Session& session, std::vector<GivenTree>& data, const std::stop_token& stop);

}  // namespace trainmake
