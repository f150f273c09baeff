#include "engine/model/artifact.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"

namespace trainmake {

const Artifact* find_role(const Artifacts& artifacts, std::string_view role) {
  const auto found = std::find_if(artifacts.begin(), artifacts.end(),
                                  [&](const Artifact& artifact) { return artifact.role == role; });
  return found == artifacts.end() ? nullptr : &*found;
}

std::string to_json(const Artifacts& artifacts) {
  nlohmann::json list = nlohmann::json::array();
  for (const Artifact& artifact : artifacts) {
    list.push_back({{"role", artifact.role},
                    {"identity", artifact.identity},
                    {"sha256", artifact.sha256},
                    {"size", artifact.size},
                    {"address", artifact.address}});
  }
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<Artifacts> artifacts_from_json(std::string_view json) {
  const nlohmann::json list = parse_json<nlohmann::json>(json);
  if (!list.is_array()) return std::nullopt;
  Artifacts artifacts;
  for (const nlohmann::json& entry : list) {
    if (!entry.is_object()) return std::nullopt;
    const bool sized = entry.contains("size") && entry["size"].is_number_unsigned();
    artifacts.push_back({text_at(entry, "role"), text_at(entry, "identity"), text_at(entry, "sha256"),
                         sized ? entry["size"].get<std::uint64_t>() : 0, text_at(entry, "address")});
  }
  return artifacts;
}

}  // namespace trainmake
