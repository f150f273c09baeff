#include "rules/job/platform.h"

#include <algorithm>

namespace trainmake {

Table resources_there(const PlatformTraits& traits, Table resources) {
  constexpr std::string_view kGpus = "gpus";
  const std::int64_t count = accelerators_of(resources);
  if (traits.variant.empty() || count == 0) return resources;
  Value gpus;
  gpus.data = traits.variant == "gpu" ? count : std::int64_t{0};
  Fields& fields = resources.fields;
  std::erase_if(fields, [&](const auto& field) { return field.first == kGpus; });
  const auto at =
      std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first > kGpus; });
  fields.insert(at, {std::string(kGpus), std::move(gpus)});
  return resources;
}

}  // namespace trainmake
