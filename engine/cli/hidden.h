// What is in the environment under the names that targets declare as secrets: never shown, wherever a file
// may have put it.
#pragma once

#include <string_view>

#include "engine/base/host.h"
#include "engine/model/project.h"

namespace trainmake {

// From now on no output shows the secrets that the project's targets name.
void hide_secrets(const Environment& environment, const Project& project);

// What a target of that kind declares, as it may be shown: addresses of data without logins, and without
// queries, which may be signatures.
Table as_shown(std::string_view kind, Table attributes);

}  // namespace trainmake
