#include "rules/image/image_steps.h"

#include "engine/base/text.h"
#include "rules/image/secret_search.h"

namespace trainmake {
namespace {

std::vector<RunStep> steps_of(const ImageServices& services, const Target& image, const FileTree& inputs,
                              const std::stop_token& stop) {
  const Value* network = image.find("network");
  std::vector<RunStep> steps;
  for (std::string& command : image.strings("run"))
    steps.push_back({std::move(command), network != nullptr && *network->boolean(), image.strings("secrets"),
                     inputs.identity, [&services, &inputs, stop] {
                       return services.file_sets.store(inputs.files, services.blobs, stop);
                     }});
  return steps;
}

}  // namespace

Result<void> check_steps(const Target& image, const std::vector<Edition>& editions) {
  if (image.find("run") == nullptr) {
    for (const char* name : {"network", "inputs", "secrets"}) {
      const bool is_used = image.find("dockerfile") != nullptr && std::string_view(name) != "network";
      if (image.find(name) == nullptr || is_used) continue;
      return fail(user_error(cat(quoted(name), " is for `run` steps, and there are none"),
                             "Leave it out, or write `run`")
                      .at(image.place_of(name)));
    }
  }
  if (image.strings("run").empty()) return {};
  const std::string& ours = architecture_of_this_machine();
  for (const Edition& edition : editions) {
    if (edition.base == "scratch")
      return fail(user_error("`scratch` has nothing that `run` could run",
                             "Write a `base` that has a shell, or leave `run` out")
                      .at(image.place_of("run")));
    if (edition.architecture != ours)
      return fail(
          user_error(cat("`run` cannot run commands for ", quoted(edition.architecture),
                         " here: this machine is ", quoted(ours)),
                     cat("Make that image on such a machine, or write `architecture = \"", ours, "\"`"))
              .at(image.place_of("run")));
  }
  return {};
}

// A step that is not remembered is taken to change something, and so are those on top of it.
Result<void> ImageSteps::count(const Target& image, const Edition& edition, const std::optional<Base>& below,
                               const FileTree& inputs, const ImagePlace& place, const PushedBlobs& pushed,
                               Work& work) {
  const std::vector<RunStep> steps = steps_of(services_, image, inputs, {});
  if (!below) {
    work.layers += steps.size();
    return {};
  }
  StepRoot root{edition.architecture, below->config, below->layers, place.compression};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    TRY_ASSIGN(const std::optional<StepResult> known, steps_.remembered(root, steps[i]));
    if (!known) {
      work.layers += steps.size() - i;
      return {};
    }
    if (!known->layer) continue;
    TRY_ASSIGN(const bool there, is_there(*known->layer, place, pushed, store_));
    if (!there) ++work.layers;
    root.layers.push_back({*known->layer});
  }
  return {};
}

Result<bool> ImageSteps::are_remembered(const Target& image, const Edition& edition, const Base& below,
                                        const FileTree& inputs, const ImagePlace& place) {
  StepRoot root{edition.architecture, below.config, below.layers, place.compression};
  for (const RunStep& step : steps_of(services_, image, inputs, {})) {
    TRY_ASSIGN(const std::optional<StepResult> known, steps_.remembered(root, step));
    if (!known) return false;
    if (known->layer) root.layers.push_back({*known->layer});
  }
  return true;
}

Result<StepResult> ImageSteps::run_one(const Target& image, const RunStep& step, const StepRoot& root,
                                       const Doing& doing) {
  TRY_ASSIGN(const Secrets secrets, secrets_of(services_.host.environment, step.secrets,
                                               image.label.shortest_from(services_.workspace.here)));
  for (const auto& [secret, value] : secrets) {
    if (!is_utf8(value))
      return fail(user_error(cat("The value of secret ", quoted(secret),
                                 " is no UTF-8, and a container's environment has to be"),
                             "Encode it, as with base64, and decode it in the step")
                      .at(image.place_of("secrets")));
  }
  doing.events(Message{image.label, cat("Running ", quoted(step.command))});
  if (std::string said = not_looked_for(secrets); !said.empty())
    doing.events(Message{image.label, std::move(said)});
  const auto say = [&](std::string what) { doing.events(Message{image.label, std::move(what)}); };
  const auto tell = [&](std::string line) { doing.events(LogLine{image.label, std::move(line)}); };
  Result<StepResult> ran = steps_.run(root, step, secrets, doing.afresh, say, tell, doing.stop);
  if (!ran) return fail(std::move(ran).error().at(image.place_of("run")));
  return ran;
}

// Nothing when it has to be run.
Result<std::optional<StepResult>> ImageSteps::at_hand(const StepRoot& root, const RunStep& step,
                                                      const Delivery& delivery) const {
  TRY_ASSIGN(std::optional<StepResult> known, steps_.remembered(root, step));
  if (!known || !known->layer) return known;
  TRY_ASSIGN(const bool there, is_at_hand(*known->layer, delivery));
  return there ? std::move(known) : std::nullopt;
}

Result<StepResult> ImageSteps::have(const Target& image, const RunStep& step, const StepRoot& root,
                                    const Doing& doing, const Delivery& delivery) {
  TRY_ASSIGN(std::optional<StepResult> known, at_hand(root, step, delivery));
  if (known && !doing.afresh) return *std::move(known);
  const std::string memo = steps_.memo_path(root, step);
  TRY_ASSIGN(const FileLock alone, making_.hold(memo, doing.stop, [&] {
    doing.events(Message{image.label, cat("Waits for another image that runs ", quoted(step.command))});
  }));
  TRY_ASSIGN(known, at_hand(root, step, delivery));
  if (known && (!doing.afresh || making_.has_made(memo))) return *std::move(known);
  TRY_ASSIGN(const StepResult result, run_one(image, step, root, doing));
  if (doing.afresh) making_.add(memo);
  return result;
}

Result<void> ImageSteps::run(const Target& image, const FileTree& inputs, StepRoot& root, const Doing& doing,
                             const Delivery& delivery) {
  for (const RunStep& step : steps_of(services_, image, inputs, doing.stop)) {
    TRY_ASSIGN(const StepResult result, have(image, step, root, doing, delivery));
    if (!result.layer) continue;
    // One that is remembered, and not here any more, may lie where it was sent.
    TRY_ASSIGN(const auto here, store_.size_of(result.layer->blob.digest, nullptr));
    const bool elsewhere = here != result.layer->blob.size && !delivery.place.is_layout();
    root.layers.push_back({*result.layer, elsewhere ? delivery.place.registry : nullptr,
                           elsewhere ? delivery.place.repository : ""});
  }
  return {};
}

}  // namespace trainmake
