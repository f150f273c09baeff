#include "rules/job/platforms/uai/uai_request.h"

#include <algorithm>

#include "engine/base/file_system.h"
#include "engine/base/shell_words.h"
#include "engine/base/text.h"
#include "rules/job/distribution.h"
#include "rules/job/platforms/uai/uhub.h"

namespace trainmake {
namespace {

constexpr std::int64_t kHour_s = 3600;
// Replaces the Python that the service starts by another program.
constexpr std::string_view kBecome = "import os,sys;os.execvp(sys.argv[1],sys.argv[1:])";

}  // namespace

Folders folders_of_uai(const Contract& contract) {
  const Contract::Places& at = *contract.places;
  return {at.code, at.data, at.output, at.checkpoint, at.log, "/root", ""};
}

Result<std::string> render_docker_cmd(const JobSpec& spec, const Contract& contract) {
  if (!spec.secrets.empty())
    return fail(user_error("UAI-Train has no place for `secrets`: whoever sees a job there sees its command",
                           "Let the job read them from its data, or from a service that knows it"));
  const RenderedJob job = render_without_flags(contract, spec);
  std::vector<std::string> words;
  auto rest = job.arguments.begin();
  if (spec.command.empty() && starts_python(spec.starter) && spec.environment.empty()) {
    ++rest;  // which the service puts in front
  } else {
    words = {"-c", std::string(kBecome)};
    if (!spec.environment.empty()) words.emplace_back("env");
    for (const auto& [name, value] : spec.environment) words.push_back(cat(name, "=", value));
  }
  words.insert(words.end(), rest, job.arguments.end());
  return shell_line(words);  // a shell reads the command on its way
}

std::optional<std::int64_t> accelerators_of(std::string_view node_type) {
  const std::size_t dash = node_type.find('-');
  const auto count = whole_number<std::int64_t>(node_type.substr(0, dash));
  return dash == node_type.npos || dash + 1 == node_type.size() ? std::nullopt : count;
}

Result<std::string> node_type_of(const Table& resources) {
  const Value* said = resources.find("node_type");
  const std::string* text = said == nullptr ? nullptr : said->string();
  if (text == nullptr)
    return fail(
        user_error("The job does not say what kind of machine it needs, and UAI-Train has several",
                   "Write it as `resources = { node_type = \"1-P40\" }`: one accelerator called P40"));
  const std::optional<std::int64_t> accelerators = accelerators_of(*text);
  if (!accelerators)
    return fail(user_error(cat("`node_type` ", quoted(*text), " is no kind of machine"),
                           "Write it as `1-P40`: how many accelerators, and what they are called"));
  const std::int64_t gpus = count_of(resources, "gpus", *accelerators);
  if (gpus != *accelerators)
    return fail(user_error(cat("A machine of type ", quoted(*text), " has ", *accelerators,
                               " accelerators, and `gpus` asks for ", gpus),
                           "Leave out `gpus`: the type says it"));
  return *text;
}

Result<std::int64_t> hours_of(const Table& resources, std::int64_t timeout_s) {
  const std::int64_t hours = count_of(resources, "hours", (timeout_s + kHour_s - 1) / kHour_s);
  if (hours > 0) return hours;
  return fail(user_error("The job does not say how long it may take, and UAI-Train wants to know",
                         "Write it as `resources = { hours = 6 }`, or give it a `timeout`"));
}

Result<std::string> distributed_framework(const Table& distribution, const Table& resources) {
  if (const std::optional<Distribution> said = distribution_of(distribution, resources)) {
    switch (said->kind) {
      case Distribution::Kind::kTfConfig:
        return std::string("TensorFlow");
      case Distribution::Kind::kDmlc:
        return std::string("MXNet");
      case Distribution::Kind::kTorchrun:
        return std::string("PyTorch");
      case Distribution::Kind::kPsWorker:
      case Distribution::Kind::kMpi:
        break;
    }
  }
  if (count_of(resources, "nodes", 1) == 1) return std::string();
  return fail(user_error("UAI-Train wants to know how the processes of several nodes find each other",
                         "Give the job `distribution = \"tf_config\"`, `\"dmlc\"` or `\"torchrun\"`"));
}

Result<std::string> uhub_path_of(const std::string& pulled, const UaiOptions& options) {
  const std::size_t slash = pulled.find('/');
  const std::string_view host = std::string_view(pulled).substr(0, slash);
  if (!is_uhub(host))
    return fail(
        user_error(cat("The image ", pulled.empty() ? "lies in this workspace" : cat("is ", quoted(pulled)),
                       ", and UAI-Train gets images from UHub alone"),
                   cat("Give platform ", quoted(options.name),
                       " a `registry = \"...\"`: the repository of UHub they go to")));
  const std::string path = pulled.substr(slash + 1);
  if (std::count(path.begin(), path.end(), '/') != 1)
    return fail(user_error(cat("UHub has images as `registry/name`, and this one would be ", quoted(path)),
                           "Give the registry of TRAINSPACE.lua `flat = true` and one name behind its host"));
  return cat(options.uhub_host, "/", path);
}

UCloudParameters render_creation(const UaiCreation& job, const UaiOptions& options, const UCloudKeys& keys) {
  return {{"TrainJobName", job.name},
          {"TrainWorkId", cat(job.ids.machine)},
          {"CodeUhubPath", job.image},
          {"DataUfilePath", job.data_url},
          {"InputDataBackendId", cat(job.ids.backend)},
          {"OutputUfilePath", job.output_url},
          {"OutputDataBackendId", cat(job.ids.backend)},
          {"DockerCmd", job.command},
          {"MaxExecuteTime", cat(job.hours)},
          {"TrainWorkAmount", cat(job.nodes)},
          {"TrainModeId", cat(job.ids.mode)},
          {"DistAIFrame", cat(job.ids.framework)},
          {"TrainPublicKey", keys.public_key},
          {"TrainPrivateKey", keys.private_key.reveal()},
          {"TrainJobMemo", job.memo},
          {"BusinessGroup", options.business_group}};
}

}  // namespace trainmake
