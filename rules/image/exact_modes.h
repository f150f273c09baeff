// Files that somebody else will copy have the modes that their listing says, whatever the umask of whoever
// laid them out.
#pragma once

#include <string>

#include "cache/listing.h"
#include "engine/base/error.h"

namespace trainmake {

// Of all that `files` are in `folder`, and the folders that they lie in, which are 0755.
Result<void> set_exact_modes(const Listing& files, const std::string& folder);

}  // namespace trainmake
