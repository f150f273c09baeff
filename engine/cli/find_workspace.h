// Finds where we are: the workspace's root (the folder of TRAINSPACE.lua, else of the nearest TRAINFILE.lua),
// the project that the current folder lies in, and the cache folder.
#pragma once

#include <string>

#include "engine/base/host.h"
#include "engine/model/label.h"
#include "engine/model/project.h"

namespace trainmake {

struct Position {
  Workspace workspace;
  std::string current;  // the current folder, from the root
};

// `cache_dir` from --cache-dir, or "".
Result<Position> find_workspace(const Host& host, const std::string& folder, const std::string& cache_dir);

// A label or pattern as typed: from the project that the current folder lies in, or, when it begins with a
// folder, from the current folder if a project is there.
Result<Pattern> parse_request(const Host& host, const Position& position, const std::string& text);

}  // namespace trainmake
