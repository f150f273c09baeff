// The explicit list of what there is: kinds of targets, and the rooms of every corridor. A new room is added
// here and nowhere else.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/file_digests.h"
#include "cache/file_set.h"
#include "cache/stores/store.h"
#include "engine/base/tree_size.h"
#include "engine/model/lua_module.h"
#include "engine/model/memory.h"
#include "engine/model/rule.h"
#include "rules/job/readers.h"
#include "rules/job/services.h"

namespace trainmake {

class ImageRule;
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
  HoldRun hold_run;
  // Jobs are tried here as processes, and their images are of a platform elsewhere: these are not made.
  bool leaves_images = false;
  bool may_prune = false;    // objects in stores where nothing was sent from here before
  bool tries_again = false;  // --retry
};

std::vector<std::unique_ptr<Rule>> all_rules(const RuleServices& services);
// For jobs of `platform`. Borrows `images`.
UnpackImage image_unpacker(ImageRule& images, const Host& host, const Workspace& workspace,
                           const Platform& platform);
// For who takes a run of `platform` up without its TRAINFILE: whether what it was given lay in its store all
// the time. Borrows the references.
std::function<Result<bool>(const GivenTree&)> mark_checker(Host& host, const Workspace& workspace,
                                                           const Space& space, Tally& tally,
                                                           const std::string& platform);
std::vector<const Schema*> all_schemas();
// As they are while `platform` is chosen.
std::vector<LuaModule> all_lua_modules(const Space& space = {}, const std::string& platform = {});
// Of what TRAINSPACE.lua declares: platform, store, registry, limits, contract.
std::vector<const Schema*> service_schemas();
// What is wrong with how they go together, which no schema tells.
std::vector<Error> wrong_services(const Space& space);
const StoreRooms& all_store_rooms();
const RegistryRooms& all_registry_rooms();
struct PlatformOptions {
  bool container = false;               // jobs run in containers, whatever TRAINSPACE.lua says
  std::optional<std::string> contract;  // another one than the platform's own
  std::string variant = {};             // of their images: `cpu`; "" is as their resources say
};
Result<std::unique_ptr<Platform>> make_platform(Host& host, const Workspace& workspace, const Space& space,
                                                Blobs& blobs, Tally& tally, const std::string& name,
                                                const PlatformOptions& asked = {});
// Whether that platform's machines get the images of their jobs from a registry.
bool pulls_images(const Space& space, const std::string& platform);
// Where data and images go while that platform is chosen, as far as it says so itself.
void take_defaults_of_platform(Space& space, const std::string& name);

// What was removed from the shared folders of the clusters that TRAINSPACE.lua declares. In those that are
// busy somebody places files now.
struct ClustersSwept {
  Swept runs, shared;
  std::vector<std::string> busy;
};
Result<ClustersSwept> collect_clusters(Host& host, const Workspace& workspace, const Space& space,
                                       const std::vector<Run>& runs, std::size_t logs,
                                       std::chrono::hours young);

}  // namespace trainmake
