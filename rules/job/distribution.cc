#include "rules/job/distribution.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "rules/job/contract.h"

namespace trainmake {
namespace {

using Kind = Distribution::Kind;

// What a TRAINFILE cannot say, and the platform's style does.
constexpr const char* kLaunched = "launched";
constexpr const char* kAllHosts = "all_hosts";

struct NamedKind {
  const char* name;
  Kind kind;
};
constexpr std::array kKinds = {
    NamedKind{"torchrun", Kind::kTorchrun}, NamedKind{"tf_config", Kind::kTfConfig},
    NamedKind{"ps_worker", Kind::kPsWorker}, NamedKind{"mpi", Kind::kMpi}, NamedKind{"dmlc", Kind::kDmlc}};

std::optional<Kind> kind_named(std::string_view name) {
  for (const NamedKind& each : kKinds) {
    if (name == each.name) return each.kind;
  }
  return std::nullopt;
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const NamedKind& each : kKinds) names.emplace_back(each.name);
  return names;
}

// The kinds that a field says something of.
std::vector<Kind> kinds_with(std::string_view field) {
  if (field == "ps" || field == "workers") return {Kind::kTfConfig, Kind::kPsWorker, Kind::kDmlc};
  if (field == "chief") return {Kind::kTfConfig};
  if (field == "processes_per_node") return {Kind::kTorchrun, Kind::kMpi};
  if (field == "options") return {Kind::kMpi};
  return {Kind::kTorchrun, Kind::kTfConfig, Kind::kPsWorker, Kind::kMpi, Kind::kDmlc};
}

bool needs_servers(Kind kind) { return kind == Kind::kPsWorker || kind == Kind::kDmlc; }

std::vector<Error> wrong_distribution(const Value& value) {
  const Value as_table = distribution_value(value);
  const Table& table = *as_table.table();
  const Value* name = table.find("kind");
  if (name == nullptr || name->string() == nullptr) {
    return {user_error(cat("`distribution` does not say of which kind it is: expected `kind = \"",
                           join(kind_names(), "\"` or `\""), "\"`"))};
  }
  const std::optional<Kind> kind = kind_named(*name->string());
  if (!kind) {
    const std::string meant = did_you_mean(*name->string(), kind_names());
    return {user_error(cat("There is no distribution ", quoted(*name->string())),
                       meant.empty() ? cat("There are ", join(kind_names(), ", ")) : meant)};
  }
  std::vector<Error> errors;
  for (const auto& [field, said] : table.fields) {
    const std::vector<Kind> kinds = kinds_with(field);
    if (std::find(kinds.begin(), kinds.end(), *kind) == kinds.end())
      errors.push_back(user_error(cat("`distribution.", field, "` says nothing of ", quoted(*name->string())),
                                  "Leave it out")
                           .at({"", said.line}));
  }
  const Value* chief = table.find("chief");
  if (chief != nullptr && chief->string() != nullptr && *chief->string() != "chief" &&
      *chief->string() != "master") {
    errors.push_back(user_error(cat("`distribution.chief` is ", quoted(*chief->string()),
                                    ": expected `chief` (TensorFlow 2) or `master` (TensorFlow 1)"))
                         .at({"", chief->line}));
  }
  const Value* servers = table.find("ps");
  if (needs_servers(*kind) && servers != nullptr && servers->integer() != nullptr && *servers->integer() == 0)
    errors.push_back(
        user_error(cat(quoted(*name->string()), " needs a parameter server: `distribution.ps` is 0"),
                   "Write 1 or more")
            .at({"", servers->line}));
  return errors;
}

std::int64_t whole(const Table& table, std::string_view field, std::int64_t otherwise) {
  const Value* value = table.find(field);
  return value == nullptr || value->integer() == nullptr ? otherwise : *value->integer();
}

std::string text(const Table& table, std::string_view field) {
  const Value* value = table.find(field);
  return value == nullptr || value->string() == nullptr ? "" : *value->string();
}

std::string of_address(const Address& address) { return cat(address.host, ":", address.port); }

// Addresses by role, as a cluster of TensorFlow lists them.
std::map<std::string, std::vector<std::string>> cluster_of(const Distribution& distribution,
                                                           const std::vector<Address>& addresses) {
  std::map<std::string, std::vector<std::string>> cluster;
  for (const Task& task : tasks_of(distribution))
    cluster[task.role].push_back(of_address(addresses.at(static_cast<std::size_t>(task.rank))));
  return cluster;
}

std::string tf_config(const Distribution& distribution, const Task& task,
                      const std::vector<Address>& addresses) {
  nlohmann::json config = {{"cluster", cluster_of(distribution, addresses)},
                           {"task", {{"index", task.index}, {"type", task.role}}}};
  // TensorFlow 1 asks for it where there is a master.
  if (distribution.chief == "master") config["environment"] = "cloud";
  return config.dump();
}

std::vector<std::string> unique_hosts(const std::vector<Address>& addresses) {
  std::vector<std::string> hosts;
  for (const Address& address : addresses) {
    if (std::find(hosts.begin(), hosts.end(), address.host) == hosts.end()) hosts.push_back(address.host);
  }
  return hosts;
}

// As MXNet's parameter servers find each other: by way of the scheduler.
std::map<std::string, std::string> dmlc_variables(const Distribution& distribution, const Task& task,
                                                  const std::vector<Address>& addresses) {
  std::map<std::string, std::string> told = {{"DMLC_NUM_SERVER", cat(distribution.servers)},
                                             {"DMLC_NUM_WORKER", cat(distribution.workers)},
                                             {"DMLC_PS_ROOT_PORT", cat(addresses.back().port)},
                                             {"DMLC_PS_ROOT_URI", addresses.back().host},
                                             {"DMLC_ROLE", task.role},
                                             {"PS_VERBOSE", "1"}};
  if (!distribution.all_hosts.empty()) told[distribution.all_hosts] = join(unique_hosts(addresses), ",");
  return told;
}

std::vector<std::string> flags_set(const Distribution& distribution) {
  if (distribution.kind != Kind::kPsWorker) return {};
  return {"job_name", "ps_hosts", "task_index", "worker_hosts"};
}

std::vector<std::string> variables_set(const Distribution& distribution) {
  switch (distribution.kind) {
    case Kind::kTorchrun:
      if (distribution.launched > 0)
        return {"MASTER_ADDR", "MASTER_PORT", "RANK", "WORKER_GPU_NUM", "WORKER_NUM"};
      return {"LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK",
              "RANK",       "WORLD_SIZE"};
    case Kind::kTfConfig:
      return {"TF_CONFIG"};
    case Kind::kDmlc:
      return {"DMLC_NUM_SERVER", "DMLC_NUM_WORKER", "DMLC_PS_ROOT_PORT",   "DMLC_PS_ROOT_URI",
              "DMLC_ROLE",       "PS_VERBOSE",      distribution.all_hosts};
    case Kind::kPsWorker:
    case Kind::kMpi:
      break;
  }
  return {};
}

std::string common_of(const std::vector<std::string>& set, const std::vector<std::string>& said) {
  const auto found = std::find_if(said.begin(), said.end(), [&](const std::string& name) {
    return std::find(set.begin(), set.end(), name) != set.end();
  });
  return found == said.end() ? "" : *found;
}

}  // namespace

std::int64_t Distribution::size() const {
  return is_by_role() ? servers + workers + (kind == Kind::kDmlc ? 1 : 0) : nodes * per_node;
}

Value distribution_value(const Value& declared) {
  Value table = declared;
  if (declared.table() == nullptr) table.data = Table({}, {{"kind", declared}});
  return table;
}

std::optional<Distribution> distribution_of(const Table& distribution, const Table& resources) {
  const std::optional<Kind> kind = kind_named(text(distribution, "kind"));
  if (!kind) return std::nullopt;
  Distribution layout;
  layout.kind = *kind;
  layout.nodes = std::max<std::int64_t>(1, count_of(resources, "nodes", 1));
  const std::int64_t gpus =
      *kind == Kind::kTorchrun || *kind == Kind::kMpi ? count_of(resources, "gpus", 0) : 0;
  layout.per_node = whole(distribution, "processes_per_node", std::max<std::int64_t>(1, gpus));
  layout.servers = whole(distribution, "ps", needs_servers(*kind) ? layout.nodes : 0);
  layout.workers = whole(distribution, "workers", layout.nodes);
  layout.chief = text(distribution, "chief");
  layout.launched = whole(distribution, kLaunched, 0);
  layout.all_hosts = text(distribution, kAllHosts);
  const std::vector<std::string> options = split(text(distribution, "options"), ' ');
  std::copy_if(options.begin(), options.end(), std::back_inserter(layout.mpi_options),
               [](const std::string& word) { return !word.empty(); });
  return layout;
}

Table as_laid_out(const Table& distribution, const Table& resources, const ClusterStyle& style) {
  const std::optional<Kind> kind = kind_named(text(distribution, "kind"));
  if (!style.is_given || !kind) return distribution;
  const std::int64_t nodes = count_of(resources, "nodes", 1);
  if (nodes <= 1) return {};
  std::map<std::string, Value> said = {{"kind", *distribution.find("kind")}};
  const auto number = [&](const char* name, std::int64_t count) { said[name].data = count; };
  if (*kind == Kind::kTorchrun) {
    number("processes_per_node", 1);
    number(kLaunched, std::max<std::int64_t>(1, accelerators_of(resources)));
  } else {
    number("ps", nodes);
    number("workers", nodes);
    if (*kind == Kind::kTfConfig) said["chief"].data = style.chief;
    if (*kind == Kind::kDmlc) said[kAllHosts].data = style.all_hosts;
  }
  return Table({}, {said.begin(), said.end()});
}

Result<void> check_style(const Table& distribution, const Table& resources, const ClusterStyle& style) {
  if (!style.is_given || count_of(resources, "nodes", 1) <= 1) return {};
  const std::string kind = text(distribution, "kind");
  const std::optional<Kind> known = kind_named(kind);
  if (known == Kind::kPsWorker || known == Kind::kMpi)
    return fail(user_error(cat("This platform tells the processes of several nodes of each other itself, and "
                               "not as ",
                               quoted(kind), " does"),
                           "It knows `tf_config`, `dmlc` and `torchrun`"));
  for (const auto& [field, value] : distribution.fields) {
    if (field == "kind") continue;
    return fail(user_error(cat("This platform lays the processes of several nodes out itself, and "
                               "`distribution.",
                               field, "` says otherwise"),
                           cat("Write `distribution = \"", kind, "\"`")));
  }
  return {};
}

Attribute distribution_attribute() {
  const auto number = [](const char* name, const char* doc, std::int64_t least) {
    return Attribute{.name = name, .shape = Shape::kInteger, .doc = doc, .least = least};
  };
  return {
      .name = "distribution",
      .shape = Shape::kTableOrWord,
      .doc =
          "How its processes are laid out over nodes: `torchrun`, `tf_config`, `ps_worker`, `mpi`, `dmlc`, "
          "or `{ kind = ... }` with more; `trainmake help distribution` tells what each sets",
      .fields = {{"kind", Shape::kString, "One of the words above"},
                 number("processes_per_node", "Of torchrun and mpi; else one for each gpu", 1),
                 number("ps", "Of tf_config, ps_worker and dmlc: parameter servers; else none, or one a node",
                        0),
                 number("workers", "Of tf_config, ps_worker and dmlc; else one a node", 1),
                 {"chief", Shape::kString, "Of tf_config: `chief` or `master`, for the first worker"},
                 {"options", Shape::kString, "Of mpi: more words for mpirun"}},
      .wrong = wrong_distribution};
}

Result<void> check_distribution(const Distribution& distribution, const std::vector<std::string>& arguments,
                                const std::vector<std::string>& environment) {
  if (distribution.size() < distribution.nodes) {
    return fail(user_error(cat(distribution.nodes, " nodes were asked for, and the distribution has ",
                               distribution.size(), distribution.size() == 1 ? " process" : " processes"),
                           "Ask for fewer nodes, or more of its `workers` or `ps`"));
  }
  std::string twice = common_of(flags_set(distribution), arguments);
  if (twice.empty()) twice = common_of(variables_set(distribution), environment);
  if (twice.empty()) return {};
  return fail(user_error(cat(quoted(twice), " is set by the job's distribution, and by the job itself"),
                         "Leave it out: each process is told its own"));
}

std::string Task::name() const { return role.empty() ? cat(rank) : cat(role, " ", index); }

std::vector<Task> tasks_of(const Distribution& distribution) {
  std::vector<Task> tasks;
  const std::int64_t chiefs = distribution.chief.empty() ? 0 : 1;
  for (std::int64_t rank = 0; rank < distribution.size(); ++rank) {
    Task task{.rank = rank};
    if (!distribution.is_by_role()) {
      task.index = rank;
      task.node = rank / distribution.per_node;
      task.local_rank = rank % distribution.per_node;
      tasks.push_back(std::move(task));
      continue;
    }
    task.node = rank % distribution.nodes;
    task.local_rank = rank / distribution.nodes;
    const std::int64_t beyond = rank - distribution.servers;
    const bool is_server = beyond < 0, is_scheduler = beyond >= distribution.workers;
    task.serves = is_server || is_scheduler;
    task.role = is_server         ? (distribution.kind == Kind::kDmlc ? "server" : "ps")
                : is_scheduler    ? "scheduler"
                : beyond < chiefs ? distribution.chief
                                  : "worker";
    task.index = is_server ? rank : is_scheduler ? 0 : beyond < chiefs ? beyond : beyond - chiefs;
    tasks.push_back(std::move(task));
  }
  return tasks;
}

ToldTask tell(const Distribution& distribution, const Task& task, const std::vector<Address>& addresses) {
  ToldTask told;
  switch (distribution.kind) {
    case Kind::kTorchrun:
      if (distribution.launched > 0) {
        told.environment = {{"MASTER_ADDR", addresses.front().host},
                            {"MASTER_PORT", cat(addresses.front().port)},
                            {"RANK", cat(task.node)},
                            {"WORKER_GPU_NUM", cat(distribution.launched)},
                            {"WORKER_NUM", cat(distribution.nodes)}};
        break;
      }
      told.environment = {
          {"LOCAL_RANK", cat(task.local_rank)},    {"LOCAL_WORLD_SIZE", cat(distribution.per_node)},
          {"MASTER_ADDR", addresses.front().host}, {"MASTER_PORT", cat(addresses.front().port)},
          {"NODE_RANK", cat(task.node)},           {"RANK", cat(task.rank)},
          {"WORLD_SIZE", cat(distribution.size())}};
      break;
    case Kind::kTfConfig:
      told.environment = {{"TF_CONFIG", tf_config(distribution, task, addresses)}};
      break;
    case Kind::kPsWorker: {
      auto cluster = cluster_of(distribution, addresses);
      told.arguments = {cat("--ps_hosts=", join(cluster["ps"], ",")),
                        cat("--worker_hosts=", join(cluster["worker"], ",")), cat("--job_name=", task.role),
                        cat("--task_index=", task.index)};
      break;
    }
    case Kind::kDmlc:
      told.environment = dmlc_variables(distribution, task, addresses);
      break;
    case Kind::kMpi:
      break;
  }
  // A server computes nothing that a GPU is for, and would take its memory.
  if (task.serves) told.environment["CUDA_VISIBLE_DEVICES"] = "";
  return told;
}

std::vector<std::string> mpirun_words(const Distribution& distribution) {
  std::vector<std::string> words = {"mpirun", "-np", cat(distribution.size())};
  words.insert(words.end(), distribution.mpi_options.begin(), distribution.mpi_options.end());
  return words;
}

std::map<std::string, std::string> mpirun_environment() {
  return {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
          {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
          {"OMPI_MCA_rmaps_base_oversubscribe", "1"},
          {"PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe"}};
}

}  // namespace trainmake
