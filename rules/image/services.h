// What the image rule is made of, and the rooms of its corridor.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cache/blobs.h"
#include "cache/file_set.h"
#include "engine/base/host.h"
#include "engine/model/event.h"
#include "engine/model/project.h"
#include "rules/image/registry.h"

namespace trainmake {

// The workspace's own layout, and registries that are somewhere else.
struct RegistryRooms {
  std::unique_ptr<Registry> (*layout)(Host& host, const Workspace& workspace);
  std::unique_ptr<Registry> (*remote)(Host& host, const RemotePlace& place, Tally& tally,
                                      const WaitNotice& waits);
};

struct ImageServices {
  Host& host;
  const Workspace& workspace;
  const Space& space;
  Blobs& blobs;
  FileSets& file_sets;
  RegistryRooms registries;
  Tally& tally;
  static constexpr std::string_view kUsualCode = "/code";
  std::string code_folder = std::string(kUsualCode);  // where the platform's jobs expect their code
  bool cpu_stays =
      false;  // its machines have accelerators: variants for processors are made where they are tried
  bool code_alone = false;   // jobs run without their images: what is not asked for itself is not made
  std::string variant = {};  // what all jobs take of images that have variants; "" says nothing
  // Whether the jobs of a graph could be handed over at all; asked before anything is asked of a registry for
  // them. May be empty.
  std::function<Result<void>()> jobs_ready = {};
};

}  // namespace trainmake
