// Keeps private keys and `.env` files out of code and images: what is taken there travels, to registries and
// to other machines.
#pragma once

#include "cache/file_set.h"
#include "engine/model/graph.h"

namespace trainmake {

// By name, and by content as it was seen when the file was digested. `attribute` of the target names the
// files, and its `allow` those that may be there. A user error that names all others.
Result<void> refuse_secret_files(const FileSet& set, const Target& target, std::string_view attribute);

}  // namespace trainmake
