// A path that a person typed, from the folder that -C names.
#pragma once

#include <string>

#include "engine/cli/session.h"

namespace trainmake {

std::string typed_path(const Session& session, const std::string& path);  // absolute

}  // namespace trainmake
