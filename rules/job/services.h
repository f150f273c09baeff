// What a job rule works with; put together by the command line, where one platform is chosen for the whole
// run. Borrows all.
#pragma once

#include <functional>
#include <string>

#include "cache/blobs.h"
#include "cache/file_digests.h"
#include "engine/base/host.h"
#include "engine/model/graph.h"
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
  // Whether a store has by now what `data`, whose tree is `root`, was when it was sent: an error says what
  // else lies there. For platforms whose jobs read stores.
  std::function<Result<void>(const Target& data, const std::string& root)> check_stored = nullptr;
};

}  // namespace trainmake
