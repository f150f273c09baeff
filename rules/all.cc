#include "rules/all.h"

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
#include "rules/job/job_rule.h"
#include "rules/job/job_schema.h"
#include "rules/job/platforms/local/local_platform.h"
#include "rules/job/platforms/slurm/slurm_options.h"
#include "rules/job/platforms/slurm/slurm_platform.h"
#include "rules/job/runs.h"

namespace trainmake {

std::vector<std::unique_ptr<Rule>> all_rules(const RuleServices& services) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(std::make_unique<CodeRule>(services.blobs, services.file_sets));
  const auto reader = [services](const std::string& store, const Doing& doing) -> Result<std::optional<Run>> {
    std::optional<Result<std::vector<Run>>> runs;
    doing.on_owner([&] { runs = services.runs.all(); });
    TRY_ASSIGN(std::vector<Run> all, *std::move(runs));
    return reader_of(store, std::move(all), services.platform_name, services.platform, services.host.clock);
  };
  auto data = std::make_unique<DataRule>(DataServices{
      services.host, services.workspace, services.space, all_store_rooms(), services.blobs,
      services.file_sets, services.tally, services.platform.traits.reads_stores, services.may_prune, reader});
  DataRule* stored = data.get();
  rules.push_back(std::move(data));
  rules.push_back(std::make_unique<ImageRule>(ImageServices{services.host, services.workspace, services.space,
                                                            services.blobs, services.file_sets,
                                                            all_registry_rooms(), services.tally}));
  rules.push_back(std::make_unique<JobRule>(
      JobServices{services.host, services.workspace, services.space, services.platform_name, services.blobs,
                  services.digests, services.runs, services.platform, TRAINMAKE_VERSION,
                  [stored](const Target& target, const std::string& root) {
                    return stored->check_stored(target, root);
                  }}));
  return rules;
}

std::vector<const Schema*> all_schemas() {
  return {&code_schema(), &data_schema(), &image_schema(), &job_schema()};
}

std::vector<const Schema*> service_schemas() {
  static const Schema platform = {
      "platform",
      "Where jobs run",
      {{"type", Shape::kString, "Its kind: `local` or `slurm`", true},
       {"endpoint", Shape::kString, "Another address for its service"},
       {"shared_dir", Shape::kString,
        "Of slurm: a folder that this machine and all nodes see under its path"},
       {"partition", Shape::kString, "Of slurm: where its jobs wait"},
       {"account", Shape::kString, "Of slurm: who is charged"},
       {"qos", Shape::kString, "Of slurm: its quality of service"},
       {"gres", Shape::kString, "Of slurm: what accelerators are called, as `gpu:a100`; else `gpu`"},
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
       {"create", Shape::kBoolean, "Whether the bucket is made when it is missing"},
       {"requests", Shape::kInteger,
        "How many requests may be on their way at once; else 32, or 16 of a web server"},
       {"bandwidth", Shape::kString, "What may be sent in a second, as `50MB`"}}};
  static const Schema registry = {
      "registry",
      "Where images go",
      {{"url", Shape::kString, "Its host and path", true},
       {"endpoint", Shape::kString, "Another address for its service"},
       {"insecure", Shape::kBoolean, "Whether it speaks plain http"},
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
  return {&platform, &store, &registry, &limits};
}

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
                                                Blobs& blobs, const std::string& name) {
  const Service* service = space.find("platform", name);
  if (service == nullptr && name != "local") {
    return fail(
        user_error(cat("There is no platform ", quoted(name)), "Platforms are declared in TRAINSPACE.lua"));
  }
  const std::string* type = service == nullptr ? nullptr : service->text("type");
  if (service == nullptr || (type != nullptr && *type == "local"))
    return std::unique_ptr<Platform>(std::make_unique<LocalPlatform>(host, workspace, blobs));
  if (type != nullptr && *type == "slurm") {
    TRY_ASSIGN(SlurmOptions options, slurm_options_of(*service, workspace));
    return std::unique_ptr<Platform>(
        std::make_unique<SlurmPlatform>(host, workspace, blobs, std::move(options)));
  }
  return fail(
      user_error(cat("Platform ", quoted(name), " has no known `type`: expected `local` or `slurm`, got ",
                     type == nullptr ? std::string("nothing") : quoted(*type)),
                 type == nullptr ? "" : did_you_mean(*type, std::vector<std::string>{"local", "slurm"}))
          .at(service->where));
}

}  // namespace trainmake
