// Lays out a run's folder: its code out of the blobs, unless it is in the job's image, a view of its data,
// empty folders, the order for the supervisor. May be cut short and done again: the order is written last.
#pragma once

#include <optional>
#include <string>

#include "cache/blobs.h"
#include "engine/base/file_system.h"
#include "rules/job/layout_progress.h"
#include "rules/job/platforms/local/run_folder.h"

namespace trainmake {

struct PrepareOptions {
  const Contract& contract;
  std::string root;                              // the workspace's; data lies below
  std::string checkpoint;                        // a folder
  std::string path;                              // PATH, of an image that says none
  std::optional<ContainerOrder> container = {};  // without mounts
  std::optional<GpuRequest> gpus = {};
  ResourceLimits limits = {};
  LayoutProgress* progress = nullptr;  // hears of what is copied
  std::string checkpoint_seen = {};    // where a process sees `checkpoint`; "" is there
};

Result<void> prepare(FileSystem& files, Blobs& blobs, const JobSpec& spec, const RunFolder& run,
                     const PrepareOptions& options);

}  // namespace trainmake
