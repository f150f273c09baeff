// Whether data that a job read where it lies was what the job was given, all the time. A change that was
// taken back shows in the ctime alone, and a touch shows the same: either is doubtful. Knows no platform.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/file_digests.h"
#include "engine/base/file_system.h"
#include "engine/base/move_watch.h"
#include "engine/model/project.h"
#include "rules/job/job_spec.h"
#include "rules/job/ways.h"

namespace trainmake {

// How the files looked, and the links that lead to them: one digest of stats a file, in the trees' order. And
// the folders and links on the ways to them; who was renamed since is heard of for as long as this lives.
struct Sight {
  std::vector<Digest128> files;
  std::map<std::string, Looked> folders;
  std::shared_ptr<MoveWatch> moves;
};
Result<Sight> sight_of(Host& host, const Workspace& workspace, const std::vector<GivenTree>& trees);

// When the job may have begun to read. Without a sight of that moment, as of a run that another process
// started, times tell: they are of the file system's clock, and may be ahead of ours.
struct Since {
  std::int64_t ns = 0;
  std::optional<Sight> sight = {};
};

// Paths, from their project's folder; of a folder, from the workspace's. `changed` are not what the listings
// say; `doubtful` are, but something happened to them, or to a link or folder that leads there, since then.
struct InPlace {
  std::vector<std::string> changed, doubtful;
};
Result<InPlace> look_in_place(Host& host, const Workspace& workspace, FileDigests& digests,
                              const std::vector<GivenTree>& trees, const Since& since);

}  // namespace trainmake
