#include "engine/cli/hidden.h"

#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/secrets.h"
#include "engine/base/url.h"
#include "engine/cli/report.h"

namespace trainmake {
namespace {

std::vector<std::string> secrets_named(const Table& attributes) {
  std::vector<std::string> names;
  const Value* secrets = attributes.find("secrets");
  if (secrets == nullptr) return names;
  if (secrets->string() != nullptr) names.push_back(*secrets->string());
  for (const Value& name : secrets->table() != nullptr ? secrets->table()->items : std::vector<Value>()) {
    if (name.string() != nullptr) names.push_back(*name.string());
  }
  return names;
}

// As it stands between the quotes of a JSON text.
std::string in_json(const std::string& text) {
  const std::string quoted =
      nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

void hide_in_addresses(Table& table);

void hide_in_addresses(Value& value) {
  if (auto* table = std::get_if<Table>(&value.data)) hide_in_addresses(*table);
  if (value.string() != nullptr) value.data = without_secrets(*value.string());
}

// `url`, and `fetch` with its own.
void hide_in_addresses(Table& table) {
  for (Value& item : table.items) {
    if (auto* inner = std::get_if<Table>(&item.data)) hide_in_addresses(*inner);
  }
  for (auto& [name, value] : table.fields) {
    if (name == "url" || name == "fetch") hide_in_addresses(value);
  }
}

}  // namespace

Table as_shown(std::string_view kind, Table attributes) {
  if (kind == "data") hide_in_addresses(attributes);
  return attributes;
}

void hide_secrets(const Environment& environment, const Project& project) {
  static std::set<std::string> values;
  const std::size_t before = values.size();
  for (const Declaration& declaration : project.declarations) {
    for (const std::string& name : secrets_named(declaration.attributes)) {
      for (const std::string& part : parts_of_secret(environment.get(name).value_or(""), kTellingSize)) {
        if (part.size() >= kTellingSize) values.insert({part, in_json(part)});
      }
    }
  }
  if (values.size() != before) hide_in_output(Redactor({values.begin(), values.end()}, kTellingSize));
}

}  // namespace trainmake
