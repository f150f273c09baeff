// Lays out a run's folder: its code out of the blobs, a view of its data, empty folders, the order for the
// supervisor. May be cut short and done again: the order is written last.
#pragma once

#include <string>

#include "cache/blobs.h"
#include "engine/base/file_system.h"
#include "rules/job/platforms/local/run_folder.h"

namespace trainmake {

struct PrepareOptions {
  std::string root;        // the workspace's; data lies below
  std::string checkpoint;  // a folder
  std::string path;        // PATH
};

Result<void> prepare(FileSystem& files, Blobs& blobs, const JobSpec& spec, const RunFolder& run,
                     const PrepareOptions& options);

}  // namespace trainmake
