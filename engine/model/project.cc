#include "engine/model/project.h"

#include <algorithm>

namespace trainmake {

const std::string* Service::text(std::string_view attribute) const {
  const Value* value = attributes.find(attribute);
  return value == nullptr ? nullptr : value->string();
}

std::string Service::text_or(std::string_view attribute, std::string_view otherwise) const {
  const std::string* said = text(attribute);
  return std::string(said == nullptr ? otherwise : *said);
}

bool Service::says_yes(std::string_view attribute) const {
  const Value* value = attributes.find(attribute);
  return value != nullptr && value->boolean() != nullptr && *value->boolean();
}

void Service::add(std::string attribute, Value value) {
  Fields& fields = attributes.fields;
  const auto at =
      std::lower_bound(fields.begin(), fields.end(), attribute,
                       [](const auto& field, const std::string& wanted) { return field.first < wanted; });
  if (at == fields.end() || at->first != attribute)
    fields.insert(at, {std::move(attribute), std::move(value)});
}

const Service* Space::find(std::string_view kind, std::string_view name) const {
  const auto found = std::find_if(services.begin(), services.end(), [&](const Service& service) {
    return service.kind == kind && service.name == name;
  });
  return found == services.end() ? nullptr : &*found;
}

std::vector<std::string> Space::names(std::string_view kind) const {
  std::vector<std::string> names;
  for (const Service& service : services) {
    if (service.kind == kind) names.push_back(service.name);
  }
  return names;
}

std::string Workspace::path(std::string_view from_root) const { return path_join(root, from_root); }

}  // namespace trainmake
