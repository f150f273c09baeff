// Puts the files of a listing where somebody will read them: their bytes out of the cache, verified, and
// their links. Thread rule: any thread.
#pragma once

#include <string>

#include "cache/blobs.h"
#include "cache/listing.h"

namespace trainmake {

// One file. `owner` is whose it is, for the error when its bytes are gone: "the code", or a label.
Result<void> lay_out(Blobs& blobs, const ListedFile& file, const std::string& owner, const std::string& to,
                     const Copying& copying = {});
// All, below `folder`, which is made.
Result<void> lay_out(FileSystem& files, Blobs& blobs, const Listing& listing, const std::string& owner,
                     const std::string& folder, const Copying& copying = {});

}  // namespace trainmake
