#include "rules/job/published_base.h"

#include <algorithm>
#include <vector>

#include "engine/base/text.h"

namespace trainmake {
namespace {

const Target* needed_by(const Graph& graph, const Target& target, std::string_view attribute) {
  const auto need = std::find_if(target.needs.begin(), target.needs.end(),
                                 [&](const Dependency& each) { return each.attribute == attribute; });
  return need == target.needs.end() ? nullptr : &graph[need->target];
}

std::vector<std::string> bases_of(const Target& image) {
  std::vector<std::string> bases;
  const Value* base = image.find("base");
  if (base == nullptr) return bases;
  if (base->string() != nullptr) bases.push_back(*base->string());
  if (base->table() == nullptr) return bases;
  for (const auto& [variant, reference] : base->table()->fields) {
    if (reference.string() != nullptr) bases.push_back(*reference.string());
  }
  return bases;
}

}  // namespace

std::optional<PublishedBase> parse_published_base(std::string_view reference) {
  const std::string_view name = reference.substr(reference.rfind('/') + 1);
  const std::vector<std::string> parts = split(name.substr(0, name.find(':')), '_');
  if (parts.size() < 5 || parts[1] != "uaitrain" || (parts[0] != "gpu" && parts[0] != "cpu"))
    return std::nullopt;
  return PublishedBase{parts[0], parts[4].substr(0, parts[4].find('-'))};
}

std::string framework_of(const Graph& graph, const Target& job) {
  for (const Target* image = needed_by(graph, job, "image"); image != nullptr;
       image = needed_by(graph, *image, "base")) {
    for (const std::string& base : bases_of(*image)) {
      if (const auto published = parse_published_base(base)) return published->framework;
    }
  }
  return job.find("solver") != nullptr ? std::string(kCaffe) : "";
}

}  // namespace trainmake
