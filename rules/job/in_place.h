// Whether data that a job read where it lies was what the job was given, all the time. A change that was
// taken back shows in the ctime alone, and a touch shows the same: either is doubtful. Knows no platform.
#pragma once

#include <string>
#include <vector>

#include "cache/file_digests.h"
#include "engine/model/project.h"
#include "rules/job/job_spec.h"

namespace trainmake {

// Paths, from their project's folder. `changed` are not what the listings say; `doubtful` are, but something
// happened to them, or to the link that leads there, at `since_ns` or later.
struct InPlace {
  std::vector<std::string> changed, doubtful;
};
Result<InPlace> look_in_place(Host& host, const Workspace& workspace, FileDigests& digests,
                              const std::vector<GivenTree>& trees, std::int64_t since_ns);

}  // namespace trainmake
