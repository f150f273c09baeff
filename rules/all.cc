#include "rules/all.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include <set>

#include "cache/stores/dir/dir_store.h"
#include "cache/stores/http/http_store.h"
#include "cache/stores/s3/s3_store.h"
#include "cache/stores/ufile/ufile_store.h"
#include "engine/base/text.h"
#include "rules/code/code_rule.h"
#include "rules/data/data_rule.h"
#include "rules/image/image_rule.h"
#include "rules/image/registries/http/http_registry.h"
#include "rules/image/registries/layout/layout.h"
#include "rules/job/container_order.h"
#include "rules/job/contracts.h"
#include "rules/job/job_rule.h"
#include "rules/job/job_schema.h"
#include "rules/job/platforms/local/local_platform.h"
#include "rules/job/platforms/slurm/collect_ports.h"
#include "rules/job/platforms/slurm/collect_shared.h"
#include "rules/job/platforms/slurm/slurm_options.h"
#include "rules/job/platforms/slurm/slurm_platform.h"
#include "rules/job/platforms/uai/uai_choice.h"
#include "rules/job/platforms/uai/uai_platform.h"
#include "rules/job/platforms/uai/uhub.h"

namespace trainmake {
namespace {

const std::string* type_of(const Service* platform) {
  return platform == nullptr ? nullptr : platform->text("type");
}

Result<void> check_asked_variant(const std::string& variant) {
  const std::vector<std::string> known = {"cpu", "gpu"};
  if (variant.empty() || std::find(known.begin(), known.end(), variant) != known.end()) return {};
  const std::string meant = did_you_mean(variant, known);
  return fail(user_error(cat("`--variant` is `cpu` or `gpu`, got ", quoted(variant)), meant));
}

// In images that the platform's machines get themselves, code lies where its contract has it.
std::string code_folder_of(const Platform& platform) {
  const std::optional<Contract::Places>& places = platform.traits.contract.places;
  return platform.traits.pulls_images && places ? places->code : std::string(ImageServices::kUsualCode);
}

Result<std::unique_ptr<Platform>> make_uai_platform(Host& host, const Workspace& workspace,
                                                    const Space& space, Blobs& blobs, Tally& tally,
                                                    const Service& service, Contract contract) {
  if (contract.version != contract_named(space, "uai")->version)
    return fail(user_error(cat("Platform ", quoted(service.name),
                               " is of type `uai`, which has a contract of its own"),
                           "Leave out `contract`; `run --local --contract` runs jobs under another one here")
                    .at(service.where));
  TRY_ASSIGN(UaiOptions options, uai_options_of(service, workspace.root));
  TRY_ASSIGN(const UaiStores stores, uai_stores_of(service, options, space));
  UaiPlaces places;
  if (stores.bucket) {
    places.bucket.emplace();
    places.bucket->folder = uai_bucket_of(*stores.bucket).value_or(UaiFolder());
    TRY_ASSIGN(places.bucket->store, make_store(all_store_rooms(), host, workspace, *stores.bucket, tally));
  }
  if (stores.ufs) {
    places.ufs.emplace();
    places.ufs->folder = uai_ufs_of(options, options.ufs_folder).value_or(UaiFolder());
    TRY_ASSIGN(places.ufs->store, make_store(all_store_rooms(), host, workspace, *stores.ufs, tally));
  }
  return std::unique_ptr<Platform>(std::make_unique<UaiPlatform>(
      host, workspace, space, blobs, tally, std::move(options), std::move(places), std::move(contract)));
}

// This machine, where jobs find what they will find there: in containers that are made as those are.
std::shared_ptr<Platform> rehearsal_for(const RuleServices& services) {
  const PlatformTraits& there = services.platform.traits;
  if (there.is_near) return nullptr;
  LocalOptions options;
  if (const Service* platform = services.space.find("platform", services.platform_name); there.runs_images) {
    options = local_options_of(*platform, services.workspace);
    options.container = true;
    // A folder of its machines, which may have another name here.
    const auto cdi = services.host.files.look(options.cdi);
    if (!cdi || !cdi->exists()) options.cdi.clear();
  }
  return std::make_shared<LocalPlatform>(services.host, services.workspace, services.blobs, options,
                                         there.contract);
}

// Without keys nothing comes of a job there, whatever is asked of registries for it.
std::function<Result<void>()> keys_checker(Platform& platform) {
  auto* const uai = dynamic_cast<UaiPlatform*>(&platform);
  if (uai == nullptr) return nullptr;
  return [uai] { return uai->check_keys(); };
}

// What was met before.
template <typename T>
class Once {
 public:
  bool is_first(const T& value) {
    const std::lock_guard lock(mutex_);
    return met_.insert(value).second;
  }

 private:
  std::mutex mutex_;
  std::set<T> met_;
};

}  // namespace

extern const char kUaiLua[];  // rules/job/platforms/uai/uai.lua

UnpackImage image_unpacker(ImageRule& images, const Host& host, const Workspace& workspace,
                           const Platform& platform) {
  const std::string folder = platform.traits.layers.empty()
                                 ? unpacked_layers_folder(host.environment, workspace)
                                 : platform.traits.layers;
  // Where other machines, their jobs and their tidying reach, each is looked at as a whole, once.
  const TrustIn trust_in = [is_shared = !platform.traits.layers.empty(),
                            once = std::make_shared<Once<Sha256>>()](const Sha256& diff_id) {
    return is_shared && once->is_first(diff_id) ? UnpackedLayers::Trust::kVerify
                                                : UnpackedLayers::Trust::kAsItIs;
  };
  return [&images, folder, trust_in](const Artifacts& image, bool accelerated,
                                     const std::function<void()>& on_unpack,
                                     const std::stop_token& stop) -> Result<ImageRoot> {
    TRY_ASSIGN(const UnpackedImage unpacked,
               images.unpack(image, accelerated, folder, trust_in, on_unpack, stop));
    ImageRoot root{folder, {}, unpacked.config.environment, unpacked.config.user};
    for (const Sha256& layer : unpacked.layers) root.layers.push_back(layer.hex());
    return root;
  };
}

std::vector<std::unique_ptr<Rule>> all_rules(const RuleServices& services) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(std::make_unique<CodeRule>(services.blobs, services.file_sets));
  const auto reader = [services](const std::string& store, const Doing& doing) -> Result<std::optional<Run>> {
    return reader_of(
        {services.runs, services.host.clock, services.platform_name, services.platform, services.hold_run},
        store, doing);
  };
  auto data = std::make_unique<DataRule>(DataServices{services.host, services.workspace, services.space,
                                                      all_store_rooms(), services.blobs, services.file_sets,
                                                      services.tally, services.platform.traits.reads_stores,
                                                      services.may_prune, reader, services.platform_name});
  DataRule* stored = data.get();
  rules.push_back(std::move(data));
  auto images = std::make_unique<ImageRule>(
      ImageServices{services.host, services.workspace, services.space, services.blobs, services.file_sets,
                    all_registry_rooms(), services.tally, code_folder_of(services.platform),
                    services.platform.traits.pulls_images, services.leaves_images,
                    services.platform.traits.variant, keys_checker(services.platform)});
  ImageRule* made = images.get();
  rules.push_back(std::move(images));
  rules.push_back(std::make_unique<JobRule>(
      JobServices{services.host, services.workspace, services.space, services.platform_name, services.blobs,
                  services.digests, services.runs, services.platform, TRAINMAKE_VERSION,
                  [stored](const Target& target, const std::string& root, const Doing& doing,
                           const Listing* files) { return stored->check_stored(target, root, doing, files); },
                  [stored](const GivenTree& given) {
                    return stored->is_as_marked(given.store, given.mark, *given.files);
                  },
                  [stored](const Target& target) { return stored->foresee_store(target); },
                  [made](const Target& image) { return made->foresee_place(image); },
                  image_unpacker(*made, services.host, services.workspace, services.platform),
                  [made](const Artifacts& image, bool accelerated, const std::stop_token& stop) {
                    return made->name_pulled(image, accelerated, stop);
                  },
                  rehearsal_for(services), services.tries_again}));
  return rules;
}

std::function<Result<bool>(const GivenTree&)> mark_checker(Host& host, const Workspace& workspace,
                                                           const Space& space, Tally& tally,
                                                           const std::string& platform) {
  struct Stores {
    Space space;
    StoreServices services;
    DataPlaces places;
    Stores(Host& its_host, const Workspace& its_workspace, const Space& declared, Tally& its_tally)
        : space(declared),
          services{its_host, its_workspace, space, all_store_rooms(), its_tally},
          places(services) {}
  };
  const auto stores = std::make_shared<Stores>(host, workspace, space, tally);
  take_defaults_of_platform(stores->space, platform);
  return [stores](const GivenTree& given) {
    return is_stored_as_marked(stores->services, stores->places, given.store, given.mark, *given.files);
  };
}

std::vector<const Schema*> all_schemas() {
  return {&code_schema(), &data_schema(), &image_schema(), &job_schema()};
}

std::vector<LuaModule> all_lua_modules(const Space& space, const std::string& platform) {
  const Service* chosen = space.find("platform", platform);
  const bool is_its = chosen != nullptr && is_uai(*chosen);
  const auto found = uai_platform_of(space, is_its ? std::optional(platform) : std::nullopt);
  return {{"uai", kUaiLua, std::string(found ? uhub_host_of(**found) : kUhubOutside)}};
}

std::vector<const Schema*> service_schemas() {
  static const Schema platform = {
      "platform",
      "Where jobs run",
      {{"type", Shape::kString, "Its kind: `local`, `slurm` or `uai`", true},
       {"contract", Shape::kString,
        "What its jobs see: a name that `contract` declares, or `default`, `uai`, `ti`, `sagemaker`, "
        "`moxing`"},
       {"endpoint", Shape::kString, "Another address for its service"},
       {"container", Shape::kBoolean, "Of local and slurm: whether jobs run in containers of their images"},
       {"network", Shape::kBoolean, "Of local and slurm: whether these have the machine's network"},
       {.name = "runtime",
        .shape = Shape::kString,
        .doc = "Of local and slurm: what starts these, as `apptainer`; else the first that works",
        .wrong = wrong_runtime},
       {"cdi", Shape::kString,
        "Of local and slurm: a folder of CDI files, which say how these get gpus; else /etc/cdi and "
        "/var/run/cdi"},
       {"profile", Shape::kString, "Of uai: the profile of ~/.ucloud whose keys it is asked with"},
       {"region", Shape::kString, "Of uai: its region; else `cn-bj2`"},
       {"zone", Shape::kString, "Of uai: its zone; else `cn-bj2-04`"},
       {"project_id", Shape::kString, "Of uai: the project; else UCLOUD_PROJECT_ID, or the profile's"},
       {"registry", Shape::kString, "Of uai: the repository of UHub that images go to"},
       {"internal_uhub", Shape::kBoolean, "Of uai: whether UHub is reached within UCloud's network"},
       {"bucket", Shape::kString, "Of uai: the bucket that data goes to and results come from"},
       {"ufs", Shape::kString,
        "Of uai: the mount point of the UFS that jobs of several nodes read and write, as "
        "`10.9.1.2:/ufs-abc123`"},
       {"ufs_dir", Shape::kString, "Of uai: where this machine has that mounted"},
       {"business_group", Shape::kString, "Of uai: the group that its jobs are of; else `default`"},
       {"shared_dir", Shape::kString,
        "Of slurm: a folder that this machine and all nodes see under its path"},
       {"partition", Shape::kString, "Of slurm: where its jobs wait"},
       {"account", Shape::kString, "Of slurm: who is charged"},
       {"qos", Shape::kString, "Of slurm: its quality of service"},
       {"gres", Shape::kString, "Of slurm: what accelerators are called, as `gpu:a100`; else `gpu`"},
       {"mpi", Shape::kString,
        "Of slurm: how its srun starts ranks of MPI, as `pmix`; else its `MpiDefault`"},
       {.name = "extra",
        .shape = Shape::kScalarMap,
        .doc = "Of slurm: more options of sbatch, by their long names",
        .wrong = wrong_slurm_extra}}};
  static const Schema store = {
      "store",
      "Where data lies outside",
      {{"url", Shape::kString,
        "`s3://bucket/prefix`, `ufile://bucket/prefix`, `https://host/path`, or a folder: `dir:bucket`, from "
        "the workspace's root or absolute",
        true},
       {"endpoint", Shape::kString, "Another address for its service"},
       {"region", Shape::kString, "Its region"},
       {"profile", Shape::kString, "The profile of ~/.aws or ~/.ucloud whose keys it is reached with"},
       {"user", Shape::kString, "Who we are at a web server; the password comes from elsewhere"},
       {"ca", Shape::kString, "A file of the certificates that vouch for it, from the workspace's root"},
       {"path_style", Shape::kBoolean, "Whether the bucket stands in the path"},
       {"conditional", Shape::kBoolean,
        "Whether the service heeds `If-Match` of a put; else it is asked first"},
       {"create", Shape::kBoolean, "Whether the bucket is made when it is missing"},
       {"project_id", Shape::kString, "Of ufile: the project that it is made in; else the account's"},
       {"api", Shape::kString, "Of ufile: where UCloud's API is asked to make it; else the account's"},
       {"requests", Shape::kInteger,
        "How many requests may be on their way at once; else 32, or 16 of a web server"},
       {"bandwidth", Shape::kString, "What may be sent in a second, as `50MB`"}}};
  static const Schema registry = {
      "registry",
      "Where images go",
      {{"url", Shape::kString, "Its host and path", true},
       {"endpoint", Shape::kString, "Another address for its service"},
       {"insecure", Shape::kBoolean, "Whether it speaks plain http"},
       {"flat", Shape::kBoolean, "Whether its names have no folders: `vision/mnist` is `vision-mnist`"},
       {"ca", Shape::kString, "A file of the certificates that vouch for it, from the workspace's root"},
       {.name = "compression",
        .shape = Shape::kString,
        .doc = "Of layers that go there: `\"gzip\"`, which all read, or `\"zstd\"`",
        .wrong = wrong_compression}}};
  static const Schema limits = {
      "limits",
      "What may be asked of all stores together",
      {{"requests", Shape::kInteger, "How many requests may be on their way at once"},
       {"bandwidth", Shape::kString, "What may be sent in a second, as `50MB`"}}};
  return {&platform, &store, &registry, &limits, &contract_schema()};
}

std::vector<Error> wrong_services(const Space& space) { return wrong_contracts(space); }

const RegistryRooms& all_registry_rooms() {
  static const RegistryRooms rooms = {make_layout, make_remote_registry};
  return rooms;
}

const StoreRooms& all_store_rooms() {
  static const StoreRooms rooms = {{"dir", make_dir_store},
                                   {"http", make_http_store},
                                   {"https", make_http_store},
                                   {"s3", make_s3_store},
                                   {"ufile", make_ufile_store}};
  return rooms;
}

Result<std::unique_ptr<Platform>> make_platform(Host& host, const Workspace& workspace, const Space& space,
                                                Blobs& blobs, Tally& tally, const std::string& name,
                                                const PlatformOptions& asked) {
  const Service* service = space.find("platform", name);
  if (service == nullptr && name != "local") {
    return fail(
        user_error(cat("There is no platform ", quoted(name)), "Platforms are declared in TRAINSPACE.lua"));
  }
  const std::string* type = type_of(service);
  const bool is_uai = type != nullptr && *type == "uai";
  TRY_ASSIGN(Contract contract, contract_named(space, asked.contract.value_or(usual_contract_of(service))));
  if (service == nullptr || (type != nullptr && *type == "local")) {
    LocalOptions options = service == nullptr ? LocalOptions() : local_options_of(*service, workspace);
    options.variant = asked.variant;
    TRY(check_asked_variant(asked.variant));
    // A variant is one of an image, which only a container has.
    options.container = options.container || asked.container || !options.variant.empty();
    contract = contract_with(options, std::move(contract));
    return std::unique_ptr<Platform>(
        std::make_unique<LocalPlatform>(host, workspace, blobs, options, std::move(contract)));
  }
  if (!asked.variant.empty())
    return fail(user_error(
        cat("`--variant` is of jobs on this machine, and platform ", quoted(name), " is elsewhere"),
        "Add `--local`, or give the job other `resources`"));
  if (type != nullptr && *type == "slurm") {
    TRY_ASSIGN(SlurmOptions options, slurm_options_of(*service, workspace));
    options.container = options.container || asked.container;
    return std::unique_ptr<Platform>(
        std::make_unique<SlurmPlatform>(host, workspace, blobs, std::move(options), std::move(contract)));
  }
  if (is_uai) return make_uai_platform(host, workspace, space, blobs, tally, *service, std::move(contract));
  return fail(
      user_error(
          cat("Platform ", quoted(name), " has no known `type`: expected `local`, `slurm` or `uai`, got ",
              type == nullptr ? std::string("nothing") : quoted(*type)),
          type == nullptr ? "" : did_you_mean(*type, std::vector<std::string>{"local", "slurm", "uai"}))
          .at(service->where));
}

bool pulls_images(const Space& space, const std::string& platform) {
  const std::string* type = type_of(space.find("platform", platform));
  return type != nullptr && *type == "uai";
}

void take_defaults_of_platform(Space& space, const std::string& name) {
  const Service* platform = space.find("platform", name);
  const std::string* type = type_of(platform);
  if (type != nullptr && *type == "uai") take_uai_defaults(name, space);
}

Result<ClustersSwept> collect_clusters(Host& host, const Workspace& workspace, const Space& space,
                                       const std::vector<Run>& runs, std::size_t logs,
                                       std::chrono::hours young) {
  ClustersSwept swept;
  std::set<std::string> folders;
  for (const Service& service : space.services) {
    const std::string* type = service.text("type");
    if (service.kind != "platform" || type == nullptr || *type != "slurm") continue;
    TRY_ASSIGN(const SlurmOptions slurm, slurm_options_of(service, workspace));
    if (!folders.insert(slurm.shared_dir).second) continue;
    TRY_ASSIGN(const SharedSwept shared,
               collect_shared(host, workspace, slurm.shared_dir, runs, {.logs = logs, .young = young}));
    TRY_ASSIGN(const Swept ports, collect_ports(host, slurm.shared_dir));
    for (auto [all, more] : {std::pair(&swept.runs, &shared.runs), std::pair(&swept.shared, &shared.shared),
                             std::pair(&swept.shared, &ports)}) {
      all->count += more->count;
      all->bytes += more->bytes;
    }
    if (shared.is_busy) swept.busy.push_back(slurm.shared_dir);
  }
  return swept;
}

}  // namespace trainmake
