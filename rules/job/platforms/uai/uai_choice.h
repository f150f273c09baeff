// Which of TRAINSPACE.lua's platforms is meant where only one of UAI-Train can be. Pure.
#pragma once

#include <optional>
#include <string>

#include "engine/model/project.h"

namespace trainmake {

bool is_uai(const Service& platform);

// That of `name`, what `--platform` says; else the default one when it is of UAI-Train, else the only one
// that is.
Result<const Service*> uai_platform_of(const Space& space, const std::optional<std::string>& name);

}  // namespace trainmake
