#include "rules/job/start_in_container.h"

#include <algorithm>
#include <utility>

#include "engine/base/text.h"
#include "engine/container/container.h"
#include "engine/container/implied_folders.h"
#include "engine/container/nvidia.h"

namespace trainmake {
namespace {

Error layer_gone(const std::string& layer, const std::string& folder) {
  return step_error(cat("The image's layer sha256:", layer, " is no longer unpacked in ", quoted(folder)),
                    "Run the job again: it is unpacked anew");
}

Result<std::vector<UnpackedLayer>> take_layers(Host& host, const ContainerOrder& container) {
  const UnpackedLayers unpacked(host, container.layers_folder);
  std::vector<UnpackedLayer> layers;
  for (const std::string& layer : container.layers) {
    const std::optional<Sha256> diff_id = Sha256::parse(layer);
    const auto gone = [&]() -> Result<std::string> {
      return fail(layer_gone(layer, container.layers_folder));
    };
    TRY_ASSIGN(UnpackedLayer taken,
               diff_id ? unpacked.take(*diff_id, gone, {}) : Result<UnpackedLayer>(fail(gone().error())));
    layers.push_back(std::move(taken));
  }
  return layers;
}

// What the job and its image say goes before, but for how many GPUs NVIDIA's own runtimes were to give it.
void add_devices(DeviceEdits edits, ContainerRequest& request) {
  for (const auto& [name, value] : edits.environment) {
    const auto [said, is_new] = request.environment.emplace(name, value);
    if (!is_new && name == kLibraryPath) said->second += cat(":", value);
    if (name == "NVIDIA_VISIBLE_DEVICES") said->second = value;
  }
  request.devices = std::move(edits);
}

}  // namespace

Result<StartedContainer> start_in_container(Host& host, const ContainerOrder& container,
                                            const RenderedJob& job, const Secrets& secrets,
                                            const std::string& scratch, Streams streams,
                                            const std::map<std::string, std::string>& marks) {
  TRY_ASSIGN(std::vector<UnpackedLayer> layers, take_layers(host, container));
  ContainerRequest request;
  TRY_ASSIGN(const bool mended, mend_implied(layers, path_join(scratch, "mended")));
  if (mended) request.layers.push_back(path_join(scratch, "mended"));
  for (const UnpackedLayer& layer : layers) request.layers.push_back(layer.folder);
  request.arguments = job.arguments;
  request.environment = job.environment;
  request.folder = job.folder;
  request.user = container.user;
  request.mounts = container.mounts;
  request.secrets = secrets;
  request.network = container.network;
  request.scratch = path_join(scratch, "container");
  request.is_first = false;  // a signal ends it as it does outside
  request.any_user = true;
  request.interactive = streams == Streams::kOurs;
  request.runtime_environment = marks;
  if (container.gpus) {
    TRY_ASSIGN(DeviceEdits edits, edits_for_gpus(host, container.gpus->given, container.gpus->cdi));
    add_devices(std::move(edits), request);
  }
  TRY_ASSIGN(Child child, start_container(host.files, container.runtime, request));
  return StartedContainer{std::move(layers), std::move(child)};
}

// A runtime passes signals on in its own way, or not at all: it is left out.
void ContainerEndRequest::ask() {
  const auto descendants = descendants_of_this_process(host_.files);
  for (const Process& process : descendants ? *descendants : std::vector<Process>()) {
    const bool is_asked =
        std::any_of(asked_.begin(), asked_.end(), [&](const Process& other) { return other.is(process); });
    if (process.parent == process_id() || is_asked) continue;
    asked_.push_back(process);
    (void)host_.processes.send(process, Signal::kTerminate);
  }
}

}  // namespace trainmake
