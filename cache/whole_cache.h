// The whole cache as one file, for CI services without directories: `cache export FILE` and `cache import
// FILE`. A tar of the database (a consistent copy), blobs, images and file index, compressed with zstd.
// Import verifies every blob, adds what is not there yet, and changes nothing before it has read all of it.
// Both hear `stop` between pieces.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/host.h"

namespace trainmake {

// How the folders begin in which imports gather what they read, in the cache folder.
inline constexpr std::string_view kImportFolder = "import-";

// Where the image layout lies in the cache folder.
inline constexpr std::string_view kImagesFolder = "images";

struct Transferred {
  std::uint64_t files = 0, bytes = 0;
};
Result<Transferred> export_cache(Host& host, const std::string& cache_folder, const std::string& to,
                                 const std::stop_token& stop);
// Adds what the archive has to what is there: where both know something, what was there stays. Nothing has
// changed unless all of the archive was read and found sound.
// `merge_images` gets the archive's `images` folder and ours, once the files of both are in ours: what names
// what in there is not the cache's to know.
using Merge = std::function<Result<void>(const std::string& from, const std::string& to)>;
Result<Transferred> import_cache(Host& host, const std::string& cache_folder, const std::string& from,
                                 const Merge& merge_images, const std::stop_token& stop);

}  // namespace trainmake
