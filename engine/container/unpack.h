// Unpacks a layer, a foreign tar that may be gzip or zstd, into a folder as overlayfs reads it. Nothing in it
// can reach beyond that folder: every step is relative to it, and the kernel resolves links within it. The
// reader is libarchive's. Knows nothing of registries or of what lies below the layer.
#pragma once

#include <cstdint>
#include <set>
#include <stop_token>
#include <string>

#include "engine/base/file_system.h"
#include "engine/base/hash.h"

namespace trainmake {

// More is a bomb, or damage.
struct UnpackLimits {
  std::uint64_t bytes = std::uint64_t{256} << 30U;  // uncompressed, and of the files
  std::uint64_t entries = 20'000'000;
};

struct UnpackedTar {
  Sha256 diff_id;  // of the uncompressed bytes
  // Folders that it has something in and does not list: what they are like is the say of the layers below.
  std::set<std::string> implied;
};

// Into `folder`, which is there and empty. After an error
// what lies there is of no use. Modes and times are kept, owners and capabilities as root alone: other people
// own all of it. Whiteouts become devices 0/0 and opaque folders. Device nodes are left out; a runtime makes
// its own.
Result<UnpackedTar> unpack_layer(FileReader& blob, const std::string& folder, const UnpackLimits& limits,
                                 const std::stop_token& stop);

// Whether we unpack as root, and overlayfs's attributes are `trusted.` ones; else they are `user.`.
bool unpacks_as_root();
// The attribute of a folder that hides what lies below it, with the value `y`.
const char* opaque_attribute();

}  // namespace trainmake
