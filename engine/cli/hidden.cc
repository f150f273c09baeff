#include "engine/cli/hidden.h"

#include <nlohmann/json.hpp>

#include "rules/job/secrets.h"

namespace trainmake {

using Json = nlohmann::ordered_json;

void Hidden::add(const Table& attributes) {
  const Value* names = attributes.find("secrets");
  if (names == nullptr) return;
  add(*names);
  if (names->table() == nullptr) return;
  for (const Value& name : names->table()->items) add(name);
}

void Hidden::add(const Value& name) {
  const std::string value = name.string() != nullptr ? environment_.get(*name.string()).value_or("") : "";
  if (value.size() < kTellingSize || !values_.insert(value).second) return;
  redactor_ = Redactor({values_.begin(), values_.end()});
}

Json Hidden::hide(const Json& json) const {
  if (values_.empty()) return json;
  if (json.is_string()) return hide(json.get<std::string>());
  if (json.is_array()) {
    Json list = Json::array();
    for (const Json& item : json) list.push_back(hide(item));
    return list;
  }
  if (json.is_object()) {
    Json object = Json::object();
    for (const auto& [name, value] : json.items()) object[hide(name)] = hide(value);
    return object;
  }
  return json;
}

void Hidden::hide_in(Error& error) const {
  error.message = hide(error.message);
  error.hint = hide(error.hint);
  for (Error& more : error.beside) hide_in(more);
}

}  // namespace trainmake
