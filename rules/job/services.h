// What a job rule works with; put together by the command line, where one platform is chosen for the whole
// run. Borrows all.
#pragma once

#include <string>

#include "cache/blobs.h"
#include "cache/file_digests.h"
#include "engine/base/host.h"
#include "engine/model/memory.h"
#include "engine/model/project.h"
#include "rules/job/platform.h"

namespace trainmake {

struct JobServices {
  Host& host;
  const Workspace& workspace;
  const Space& space;
  std::string platform_name;
  Blobs& blobs;
  FileDigests& digests;
  Runs& runs;
  Platform& platform;
  std::string version;
};

}  // namespace trainmake
