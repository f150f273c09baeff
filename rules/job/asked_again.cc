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

}  // namespace

std::string asked_again(const std::string& label, const Run& run, const Space& space) {
  const ContractTold told = told_by(contract_given_to(run));
  const Service* platform = space.find("platform", run.platform);
  const std::string usual = space.default_platform.empty() ? kThisMachine : space.default_platform;
  const bool repeats = !run.repeats.empty();
  std::string typed = repeats ? cat("repro ", run.repeats) : shell_word(label);
  if (!repeats && run.platform != usual && !run.platform.empty())
    typed += cat(" --platform ", shell_word(run.platform));
  if (told.in_container && !says_container(platform)) typed += " --container";
  std::string of_run;  // which `trainmake LABEL` does not take
  if (told.name != usual_contract_of(platform) && is_contract(space, told.name))
    of_run += cat(" --contract ", shell_word(told.name));
  if (!told.variant.empty()) of_run += cat(" --variant ", told.variant);
  return of_run.empty() || repeats ? typed + of_run : cat("run ", typed, of_run);
}

}  // namespace trainmake
