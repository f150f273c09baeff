// `pull --all`: everything that a run left in its output folder, declared or not, where its platform still
// has that.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "engine/cli/session.h"
#include "engine/model/record.h"

namespace trainmake {

// Copies it to `folder`, an absolute path, and returns what was copied, by paths. What lies there already and
// is another is an error, unless `overwrite`.
Result<std::vector<RunOutput>> pull_all(Session& session, const Run& run, const std::string& folder,
                                        bool overwrite, const std::stop_token& stop);

}  // namespace trainmake
