#include "rules/job/asked_again.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/job/container_layout.h"
#include "rules/job/contracts.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

constexpr const char* kThisMachine = "local";

bool says_container(const Service* platform) {
  const Value* said = platform == nullptr ? nullptr : platform->attributes.find("container");
  return said != nullptr && said->boolean() != nullptr && *said->boolean();
}

bool is_contract(const Space& space, const std::string& name) {
  const std::vector<std::string> names = contract_names(space);
  return std::find(names.begin(), names.end(), name) != names.end();
}

// `--local` is another platform's contract by itself, where this machine has none of its own.
std::string contract_of_local(const Space& space) {
  const Service* here = space.find("platform", kThisMachine);
  const bool has_own = here != nullptr && here->text("contract") != nullptr;
  return usual_contract_of(has_own ? here : space.find("platform", space.default_platform));
}

bool is_this_machine(const Space& space, const Run& run) {
  const Service* here = space.find("platform", kThisMachine);
  const std::string* type = here == nullptr ? nullptr : here->text("type");
  return run.platform == kThisMachine && (type == nullptr || *type == kThisMachine);
}

// Flags that `repro` takes as `run` does, where `usual` is the contract without one.
std::string flags_of_run(const ContractTold& told, const Space& space, const std::string& usual) {
  std::string flags;
  if (told.name != usual && is_contract(space, told.name))
    flags += cat(" --contract ", shell_word(told.name));
  if (!told.variant.empty()) flags += cat(" --variant ", told.variant);
  return flags;
}

std::string container_flag(const ContractTold& told, const Service* platform) {
  return told.in_container && !says_container(platform) ? " --container" : "";
}

}  // namespace

std::string asked_again(const std::string& label, const Run& run, const Space& space) {
  if (!run.repeats.empty()) {
    const std::string platform = platform_repeated_by(run);
    return repeated({run.repeats, platform.empty() ? run.platform : platform, contract_given_to(run)},
                    run.platform, space);
  }
  const ContractTold told = told_by(contract_given_to(run));
  const Service* platform = space.find("platform", run.platform);
  const std::string usual = space.default_platform.empty() ? kThisMachine : space.default_platform;
  const std::string container = container_flag(told, platform);
  const std::string of_run = flags_of_run(told, space, usual_contract_of(platform));
  // Then files choose by the names that it stands for as well.
  if (!of_run.empty() && is_this_machine(space, run))
    return cat("run --local ", shell_word(label), container,
               flags_of_run(told, space, contract_of_local(space)));
  std::string typed = shell_word(label);
  if (run.platform != usual && !run.platform.empty()) typed += cat(" --platform ", shell_word(run.platform));
  return cat(of_run.empty() ? "" : "run ", typed, container, of_run);
}

std::string repeated(const ToRepeat& original, const std::string& there, const Space& space) {
  const ContractTold told = told_by(original.contract);
  const Service* platform = space.find("platform", there);
  return cat("repro ", original.run, there == original.platform ? "" : cat(" --platform ", shell_word(there)),
             container_flag(told, platform), flags_of_run(told, space, usual_contract_of(platform)));
}

}  // namespace trainmake
