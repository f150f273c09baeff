#include "engine/container/cdi.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/yaml.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

// The items of a list in an object; none when there is no such list.
const Json& list_at(const Json& object, const char* name) {
  static const Json kNone = Json::array();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_array() ? *found : kNone;
}

std::vector<std::string> texts_at(const Json& object, const char* name) {
  std::vector<std::string> texts;
  for (const Json& item : list_at(object, name)) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

// Relative targets are seen from the folder of the link, so that these can lie anywhere.
std::optional<ContainerLink> parse_link(const std::string& words) {
  constexpr std::string_view kBetween = "::";
  const std::size_t end = words.find(kBetween);
  if (end == words.npos) return std::nullopt;
  ContainerLink link{words.substr(end + kBetween.size()), words.substr(0, end)};
  if (!link.at.starts_with('/') || link.target.empty()) return std::nullopt;
  return link;
}

std::vector<ContainerLink> links_of_hook(const Json& hook) {
  std::vector<ContainerLink> links;
  const std::vector<std::string> words = texts_at(hook, "args");
  if (std::find(words.begin(), words.end(), "create-symlinks") == words.end()) return links;
  constexpr std::string_view kOption = "--link";
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string said;
    if (words[i] == kOption && i + 1 < words.size()) said = words[i + 1];
    if (words[i].starts_with(cat(kOption, "="))) said = words[i].substr(kOption.size() + 1);
    if (auto link = parse_link(said)) links.push_back(*std::move(link));
  }
  return links;
}

DeviceEdits edits_of(const Json& object) {
  DeviceEdits edits;
  const auto found = object.find("containerEdits");
  if (found == object.end() || !found->is_object()) return edits;
  for (const Json& node : list_at(*found, "deviceNodes")) {
    const std::string at = text_at(node, "path"), host = text_at(node, "hostPath");
    if (at.starts_with('/')) edits.nodes.push_back({host.empty() ? at : host, at});
  }
  for (const Json& mount : list_at(*found, "mounts")) {
    const std::string at = text_at(mount, "containerPath"), host = text_at(mount, "hostPath");
    if (at.starts_with('/') && host.starts_with('/')) edits.mounts.push_back({host, at});
  }
  for (const Json& hook : list_at(*found, "hooks")) {
    for (ContainerLink& link : links_of_hook(hook)) edits.links.push_back(std::move(link));
  }
  for (const std::string& variable : texts_at(*found, "env")) {
    const std::size_t equals = variable.find('=');
    if (equals != variable.npos) edits.environment[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  return edits;
}

}  // namespace

std::optional<CdiSpec> parse_cdi(std::string_view text) {
  const Json json = parse_yaml(text);
  if (text_at(json, "cdiVersion").empty() || text_at(json, "kind").empty()) return std::nullopt;
  CdiSpec spec{text_at(json, "kind"), edits_of(json), {}};
  for (const Json& device : list_at(json, "devices")) {
    if (const std::string name = text_at(device, "name"); !name.empty())
      spec.devices[name] = edits_of(device);
  }
  return spec;
}

}  // namespace trainmake
