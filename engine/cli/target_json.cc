#include "engine/cli/target_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/hidden.h"
#include "engine/cli/lua_text.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

const Attribute* attribute_of(const std::vector<const Schema*>& schemas, const std::string& kind,
                              const std::string& name) {
  const auto schema =
      std::find_if(schemas.begin(), schemas.end(), [&](const Schema* each) { return each->kind == kind; });
  return schema == schemas.end() ? nullptr : (*schema)->find(name);
}

// An attribute that names targets, its labels absolute.
Json labels_json(const Graph& graph, const Target& target, const Attribute& attribute, const Value& value) {
  Json list = Json::array();
  for (const Dependency& need : target.needs) {
    if (need.attribute != attribute.name) continue;
    const std::string label = graph[need.target].label.text();
    if (attribute.shape == Shape::kChannels) {
      list.push_back(
          {{"channel", need.channel.empty() ? Json() : Json(printable(need.channel))}, {"label", label}});
    } else {
      list.push_back(label);
    }
  }
  return attribute.shape != Shape::kChannels && value.string() != nullptr && list.size() == 1 ? list.front()
                                                                                              : list;
}

// One base of each variant: the label of a target, or a reference as it is.
Json variants_json(const Graph& graph, const Target& target, const Attribute& attribute, const Value& value) {
  const auto base_of = [&](const std::string& variant, const Value& said) {
    for (const Dependency& need : target.needs) {
      if (need.attribute == attribute.name && need.channel == variant)
        return Json(graph[need.target].label.text());
    }
    return Json::parse(json_text(said));
  };
  if (value.table() == nullptr) return base_of("", value);
  Json bases = Json::object();
  for (const auto& [variant, said] : value.table()->fields)
    bases[printable(variant)] = base_of(variant, said);
  return bases;
}

Json attribute_json(const Graph& graph, const Target& target, const Attribute* attribute,
                    const Value& value) {
  if (attribute == nullptr || attribute->labels.empty()) return Json::parse(json_text(value));
  if (attribute->shape == Shape::kVariants) return variants_json(graph, target, *attribute, value);
  return labels_json(graph, target, *attribute, value);
}

}  // namespace

Json place_json(const Label& label, const Location& where) {
  return {
      {"label", label.text()}, {"kind", label.kind}, {"file", printable(where.file)}, {"line", where.line}};
}

Json target_json(const std::vector<const Schema*>& schemas, const Graph& graph, const Target& target) {
  Json json = place_json(target.label, target.where);
  std::vector<std::string> needs;
  for (const Dependency& need : target.needs) needs.push_back(graph[need.target].label.text());
  std::sort(needs.begin(), needs.end());
  needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
  json["deps"] = needs;
  Json& attributes = json["attrs"] = Json::object();
  const Table shown = as_shown(target.label.kind, target.attributes);
  for (const auto& [name, value] : shown.fields) {
    const Attribute* attribute = attribute_of(schemas, target.label.kind, name);
    attributes[printable(name)] = attribute_json(graph, target, attribute, value);
  }
  return json;
}

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace trainmake
