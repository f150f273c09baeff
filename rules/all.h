// The explicit list of what there is: kinds of targets, and the rooms of every corridor. A new room is added
// here and nowhere else.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/file_digests.h"
#include "cache/file_set.h"
#include "cache/stores/store.h"
#include "engine/model/memory.h"
#include "engine/model/rule.h"

namespace trainmake {

class Platform;
struct RegistryRooms;

struct RuleServices {
  Host& host;
  const Workspace& workspace;
  const Space& space;
  Blobs& blobs;
  FileDigests& digests;
  FileSets& file_sets;
  Runs& runs;
  Platform& platform;
  std::string platform_name;
  Tally& tally;
  bool may_prune = false;  // objects in stores where nothing was sent from here before
};

std::vector<std::unique_ptr<Rule>> all_rules(const RuleServices& services);
std::vector<const Schema*> all_schemas();
// Of what TRAINSPACE.lua declares: platform, store, registry, limits.
std::vector<const Schema*> service_schemas();
const StoreRooms& all_store_rooms();
const RegistryRooms& all_registry_rooms();
Result<std::unique_ptr<Platform>> make_platform(Host& host, const Workspace& workspace, const Space& space,
                                                Blobs& blobs, const std::string& name);

}  // namespace trainmake
