// The whole cache as one file, for CI services without directories: `cache export FILE` and `cache import
// FILE`. A tar of the database (a consistent copy), blobs, images and file index, compressed with zstd.
// Import verifies every blob, and replaces nothing that it could not read whole.
#pragma once

#include <string>

#include "engine/base/error.h"
#include "engine/base/host.h"

namespace trainmake {

struct Transferred {
  std::uint64_t files = 0, bytes = 0;
};
Result<Transferred> export_cache(Host& host, const std::string& cache_folder, const std::string& to);
// What was in the cache before is gone, once all of the archive was read and found sound; else nothing has
// changed.
Result<Transferred> import_cache(Host& host, const std::string& cache_folder, const std::string& from);

}  // namespace trainmake
