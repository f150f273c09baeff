#include "rules/job/spec_json.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;
using Named = std::vector<std::pair<std::string, Value>>;

constexpr Place kPlaces[] = {Place::kCode, Place::kData, Place::kOutput, Place::kCheckpoint, Place::kLog};

// A placed path is `{"data_dir": "x"}`, a list or table is what it is in JSON.
struct Writer {
  const Redactor& redactor;
  bool whole = true;

  std::string text(const std::string& text) {
    std::string told = redactor.redact(text);
    whole = whole && told == text;
    return told;
  }

  Json texts(const std::vector<std::string>& list) {
    Json out = Json::array();
    for (const std::string& each : list) out.push_back(text(each));
    return out;
  }

  Json json(const Value& value) {
    if (const bool* boolean = value.boolean()) return *boolean;
    if (const std::int64_t* integer = value.integer()) return *integer;
    if (const double* real = value.real()) return *real;
    if (const PlacedPath* path = value.placed())
      return Json{{"placed", Json{{std::string(name_of(path->place)), path->rest}}}};
    if (const Table* table = value.table()) return json(*table);
    return value.string() != nullptr ? Json(text(*value.string())) : Json();
  }

  Json json(const Table& table) {
    Json out = table.fields.empty() && !table.items.empty() ? Json::array() : Json::object();
    if (out.is_array()) {
      for (const Value& item : table.items) out.push_back(json(item));
    } else {
      out = json(table.fields);
    }
    return out;
  }

  Json json(const Named& named) {
    Json out = Json::object();
    for (const auto& [name, value] : named) out[name] = json(value);
    return out;
  }
};

std::optional<PlacedPath> placed_from(const Json& json) {
  if (!json.is_object() || json.size() != 1 || !json.contains("placed") || !json["placed"].is_object())
    return std::nullopt;
  for (const Place place : kPlaces) {
    const auto rest = json["placed"].find(name_of(place));
    if (rest != json["placed"].end() && rest->is_string()) return PlacedPath{place, rest->get<std::string>()};
  }
  return std::nullopt;
}

Table table_from(const Json& json);

Value value_from(const Json& json) {
  Value value;
  if (json.is_boolean()) value.data = json.get<bool>();
  if (json.is_number_integer()) value.data = json.get<std::int64_t>();
  if (json.is_number_float()) value.data = json.get<double>();
  if (json.is_string()) value.data = json.get<std::string>();
  if (json.is_structured()) {
    if (std::optional<PlacedPath> path = placed_from(json))
      value.data = *std::move(path);
    else
      value.data = table_from(json);
  }
  return value;
}

Table table_from(const Json& json) {
  Table table;
  for (const auto& [name, item] : json.items()) {
    if (json.is_array())
      table.items.push_back(value_from(item));
    else
      table.fields.emplace_back(name, value_from(item));
  }
  return table;
}

std::map<std::string, std::string> texts_from(const Json& json) {
  std::map<std::string, std::string> texts;
  for (const auto& [name, text] : json.items()) {
    if (text.is_string()) texts[name] = text.get<std::string>();
  }
  return texts;
}

std::vector<std::string> list_from(const Json& json) {
  std::vector<std::string> list;
  for (const Json& text : json) {
    if (text.is_string()) list.push_back(text.get<std::string>());
  }
  return list;
}

}  // namespace

Json spec_json(const JobSpec& spec, const Redactor& redactor) {
  Writer writer{redactor};
  Json environment = Json::object();
  for (const auto& [name, value] : spec.environment) environment[name] = writer.text(value);
  Json json = {{"code", spec.listings},
               {"main", spec.main},
               {"framework", spec.framework},
               {"starter", spec.starter.before},
               {"command", writer.json(Table{spec.command, {}})},
               {"args", writer.json(spec.args)},
               {"params", writer.json(spec.params)},
               {"typed", writer.texts(spec.typed)},
               {"env", std::move(environment)},
               {"secrets", spec.secrets},
               {"outputs", Json(spec.outputs)},
               {"resources", writer.json(spec.resources)},
               {"distribution", writer.json(spec.distribution)},
               {"timeout_s", spec.timeout_s},
               {"resume", spec.resume}};
  json["whole"] = writer.whole;
  return json;
}

std::optional<JobSpec> parse_spec(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  for (const char* list : {"code", "starter", "secrets"}) {
    if (!json.contains(list) || !json[list].is_array()) return std::nullopt;
  }
  for (const char* table : {"command", "args", "params", "env", "outputs", "resources", "distribution"}) {
    if (!json.contains(table) || !json[table].is_structured()) return std::nullopt;
  }
  JobSpec spec;
  spec.listings = list_from(json["code"]);
  spec.main = text_at(json, "main");
  spec.framework = text_at(json, "framework");
  spec.starter.before = list_from(json["starter"]);
  spec.command = table_from(json["command"]).items;
  spec.args = table_from(json["args"]).fields;
  spec.params = table_from(json["params"]).fields;
  if (json.contains("typed")) spec.typed = list_from(json["typed"]);
  spec.environment = texts_from(json["env"]);
  spec.secrets = list_from(json["secrets"]);
  spec.outputs = texts_from(json["outputs"]);
  spec.resources = table_from(json["resources"]);
  spec.distribution = table_from(json["distribution"]);
  spec.pulled_image = text_at(json, "pulled_image");
  const auto timeout = json.find("timeout_s");
  if (timeout != json.end() && timeout->is_number_integer()) spec.timeout_s = timeout->get<std::int64_t>();
  spec.resume = json.contains("resume") && json["resume"] == true;
  return spec;
}

}  // namespace trainmake
