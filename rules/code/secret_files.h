// Keeps private keys and `.env` files out of code: what is snapshotted travels, into images and to other
// machines.
#pragma once

#include <string>
#include <vector>

#include "cache/listing.h"
#include "engine/base/file_system.h"
#include "engine/model/graph.h"

namespace trainmake {

// By name, and by the first bytes of files whose name makes them likely: cheap enough for every look. A user
// error that names them all.
Result<void> refuse_secret_files(FileSystem& files, const Workspace& workspace, const Listing& listing,
                                 const std::vector<std::string>& allowed, const Target& target);

// By the first bytes of what is at `path`: the file, or what was kept of it.
Result<void> refuse_key_content(FileSystem& files, const std::string& path, const ListedFile& file,
                                const std::vector<std::string>& allowed, const Target& target);

}  // namespace trainmake
