// Removes from the cache what nothing refers to: old results, blobs and layers of none that is kept, what
// finished runs leave beside their logs, and files that only saved time. What is kept is enough for the next
// run to have nothing to do, and for `pull` of every run. Knows what lies where below the cache folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/state.h"
#include "engine/base/host.h"
#include "engine/model/project.h"

namespace trainmake {

// A label's present result is always kept; of earlier ones those that are young and the newest few, so that
// an edit undone is taken up again.
struct KeepOptions {
  std::chrono::hours young{24 * 30};
  std::size_t results_per_label = 10;
  std::size_t logs = 50;  // of the newest runs
  // Unpacked layers, which all workspaces share: others may want what this one does not know of.
  std::chrono::hours unpacked{24 * 30};
};

struct Removed {
  std::uint64_t results = 0, blobs = 0, layers = 0, runs = 0, unpacked = 0, shared = 0, bytes = 0;
  std::vector<std::string> busy;  // shared folders in which somebody places files now
};

struct GarbageServices {
  Host& host;
  const Workspace& workspace;
  const Space& space;
  State& state;  // open to write
  Blobs& blobs;
};

// REQUIRES: the workspace is held alone.
Result<Removed> collect_garbage(const GarbageServices& services, const KeepOptions& keep = {});

}  // namespace trainmake
