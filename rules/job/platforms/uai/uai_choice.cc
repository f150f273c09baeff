#include "rules/job/platforms/uai/uai_choice.h"

#include "engine/base/text.h"

namespace trainmake {

bool is_uai(const Service& platform) {
  const std::string* type = platform.text("type");
  return type != nullptr && *type == "uai";
}

Result<const Service*> uai_platform_of(const Space& space, const std::optional<std::string>& name) {
  constexpr const char* kHint =
      "Declare it in TRAINSPACE.lua: `platform \"uai\" { type = \"uai\", registry = \"demo\" }`";
  const Service* chosen = space.find("platform", name.value_or(space.default_platform));
  if (chosen != nullptr && is_uai(*chosen)) return chosen;
  if (name && (chosen != nullptr || *name == "local"))
    return fail(user_error(cat("Platform ", quoted(*name), " is not of type `uai`"), kHint)
                    .at(chosen == nullptr ? Location() : chosen->where));
  std::vector<std::string> all;
  for (const std::string& each : space.names("platform")) {
    if (is_uai(*space.find("platform", each))) all.push_back(each);
  }
  if (name) {
    const std::string meant = did_you_mean(*name, all);
    return fail(user_error(cat("There is no platform ", quoted(*name)), meant.empty() ? kHint : meant));
  }
  if (all.empty()) return fail(user_error("No platform of type `uai` is declared", kHint));
  if (all.size() > 1)
    return fail(user_error(cat("There are ", all.size(), " platforms of type `uai`: ", join(all, ", ")),
                           "Choose one with `--platform NAME`"));
  return space.find("platform", all.front());
}

}  // namespace trainmake
