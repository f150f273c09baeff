// Keeps private keys and `.env` files out of code: what is snapshotted travels, into images and to other
// machines.
#pragma once

#include "cache/file_set.h"
#include "engine/model/graph.h"

namespace trainmake {

// By name, and by content as it was seen when the file was digested. A user error that names them all.
Result<void> refuse_secret_files(const FileSet& set, const Target& target);

}  // namespace trainmake
