#include "engine/model/graph.h"

namespace trainmake {

std::string Target::string_or(std::string_view attribute, std::string_view otherwise) const {
  const Value* value = find(attribute);
  return value != nullptr && value->string() != nullptr ? *value->string() : std::string(otherwise);
}

bool Target::boolean_or(std::string_view attribute, bool otherwise) const {
  const Value* value = find(attribute);
  return value != nullptr && value->boolean() != nullptr ? *value->boolean() : otherwise;
}

std::vector<std::string> Target::strings(std::string_view attribute) const {
  const Value* value = find(attribute);
  if (value == nullptr) return {};
  if (value->string() != nullptr) return {*value->string()};
  std::vector<std::string> strings;
  if (value->table() != nullptr)
    for (const Value& item : value->table()->items) strings.push_back(*item.string());
  return strings;
}

const Fields& Target::fields(std::string_view attribute) const {
  static const Fields kNone;
  const Value* value = find(attribute);
  return value != nullptr && value->table() != nullptr ? value->table()->fields : kNone;
}

Location Target::place_of(std::string_view attribute) const {
  const Value* value = find(attribute);
  return {where.file, value != nullptr && value->line != 0 ? value->line : where.line};
}

std::optional<TargetId> Graph::find(const Label& label) const {
  const auto found = ids.find(label);
  if (found == ids.end()) return std::nullopt;
  return found->second;
}

std::vector<std::vector<TargetId>> Graph::needed_by() const {
  std::vector<std::vector<TargetId>> users(targets.size());
  for (TargetId id = 0; id < targets.size(); ++id) {
    for (const Dependency& need : targets[id].needs) {
      if (users[need.target].empty() || users[need.target].back() != id) users[need.target].push_back(id);
    }
  }
  return users;
}

}  // namespace trainmake
