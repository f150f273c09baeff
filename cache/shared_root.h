// Where the keys of files start when their target does not say it. Pure.
#pragma once

#include <string>

#include "engine/base/error.h"
#include "engine/model/value.h"

namespace trainmake {

// The longest folder that all patterns of `srcs`, `files` and their like share, from the project's folder.
Result<std::string> shared_root(const Value& files);

}  // namespace trainmake
