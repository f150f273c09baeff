// Removes layers, configs and manifests from the workspace's OCI layout that no kept result and no name in it
// refers to, and what is remembered of such layers. What bases are pinned to stays: without it nothing could
// be built offline.
#pragma once

#include <string>
#include <vector>

#include "engine/base/hash.h"
#include "engine/base/tree_size.h"
#include "engine/model/record.h"

namespace trainmake {

Result<Swept> collect_images(FileSystem& files, const std::string& cache_folder,
                             const std::vector<Record>& kept, const std::vector<Sha256>& pinned);

}  // namespace trainmake
