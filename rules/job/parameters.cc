#include "rules/job/parameters.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

std::string placed(const PlacedPath& path, const Folders& folders) {
  switch (path.place) {
    case Place::kCode:
      return path_join(folders.code, path.rest);
    case Place::kData:
      return path_join(folders.data, path.rest);
    case Place::kOutput:
      return path_join(folders.output, path.rest);
    case Place::kCheckpoint:
      return path_join(folders.checkpoint, path.rest);
    case Place::kLog:
      return path_join(folders.log, path.rest);
  }
  return path.rest;
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json json_of(const Value& value, const Folders& folders) {
  if (const bool* boolean = value.boolean()) return *boolean;
  if (const std::int64_t* integer = value.integer()) return *integer;
  if (const double* real = value.real()) return *real;
  if (const Table* list = value.table()) {
    Json items = Json::array();
    for (const Value& item : list->items) items.push_back(json_of(item, folders));
    return items;
  }
  return word_text(value, folders);
}

// One that the digest of a value takes for an integer: `1.0`, `1e5`, `-0.0`.
bool holds_whole_real(const Value& value) {
  constexpr double kLargest = 1e15;
  if (const double* real = value.real()) return *real == std::trunc(*real) && std::abs(*real) <= kLargest;
  const Table* list = value.table();
  return list != nullptr && std::any_of(list->items.begin(), list->items.end(), holds_whole_real);
}

std::string boolean_text(bool value, ArgumentStyle::Booleans style) {
  if (style == ArgumentStyle::Booleans::kPython) return value ? "True" : "False";
  return value ? "true" : "false";
}

}  // namespace

std::string word_text(const Value& value, const Folders& folders) {
  return value.placed() != nullptr ? placed(*value.placed(), folders) : scalar_text(value);
}

std::string parameter_text(const Value& value, const Folders& folders) {
  return value.string() != nullptr || value.placed() != nullptr ? word_text(value, folders)
                                                                : dumped(json_of(value, folders));
}

void add_flag(const ArgumentStyle& style, const std::string& name, const Value& value, const Folders& folders,
              std::vector<std::string>& into) {
  const std::string flag = cat(style.short_letters && name.size() == 1 ? "-" : "--", name);
  const bool* boolean = value.boolean();
  if (boolean != nullptr && style.booleans == ArgumentStyle::Booleans::kFlag) {
    if (*boolean) into.push_back(flag);
    return;
  }
  const auto text_of = [&](const Value& one) {
    return one.boolean() != nullptr ? boolean_text(*one.boolean(), style.booleans) : word_text(one, folders);
  };
  const auto add = [&](const std::string& text) {
    if (style.form == ArgumentStyle::Form::kEquals) {
      into.push_back(cat(flag, "=", text));
    } else {
      into.push_back(flag);
      into.push_back(text);
    }
  };
  const Table* list = value.table();
  if (list == nullptr) return add(text_of(value));
  std::vector<std::string> texts;
  for (const Value& item : list->items) texts.push_back(text_of(item));
  switch (style.lists) {
    case ArgumentStyle::Lists::kWords:
      into.push_back(flag);
      into.insert(into.end(), texts.begin(), texts.end());
      return;
    case ArgumentStyle::Lists::kCommas:
      return add(join(texts, ","));
    case ArgumentStyle::Lists::kJson:
      return add(dumped(json_of(value, folders)));
    case ArgumentStyle::Lists::kRepeated:
      for (const std::string& text : texts) add(text);
      return;
  }
}

Digest128 digest_of_parameter(const Value& value) {
  const Digest128 digest = digest_of(value);
  if (!holds_whole_real(value)) return digest;
  return Hasher().number(digest.high).number(digest.low).field(dumped(json_of(value, Folders{}))).finish();
}

std::string params_json(const Fields& fields, const Folders& folders) {
  Json params = Json::object();
  for (const auto& [name, value] : fields) params[name] = json_of(value, folders);
  return dumped(params);
}

std::string params_texts_json(const Fields& fields, const Folders& folders) {
  Json params = Json::object();
  for (const auto& [name, value] : fields) params[name] = dumped(json_of(value, folders));
  return dumped(params);
}

Fields hyperparameters(const Fields& args, const Fields& params) {
  std::map<std::string, Value> all(params.begin(), params.end());
  all.insert(args.begin(), args.end());
  return {all.begin(), all.end()};
}

}  // namespace trainmake
