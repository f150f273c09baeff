// Removes a file, a link or a whole tree, without following a link. Knows only of the real file system.
#pragma once

#include <string>

#include "engine/base/error.h"

namespace trainmake {

// Fine when there is nothing. Refuses the root and the folder we are in, by any of their short names.
Result<void> remove_tree(const std::string& path);

}  // namespace trainmake
