// Removes layers, configs and manifests from the workspace's OCI layout that no kept result and no name in it
// refers to, and what is remembered of such layers.
#pragma once

#include <string>
#include <vector>

#include "engine/base/tree_size.h"
#include "engine/model/record.h"

namespace trainmake {

Result<Swept> collect_images(FileSystem& files, const std::string& cache_folder,
                             const std::vector<Record>& kept);

}  // namespace trainmake
