#include "engine/cli/file_claims.h"

#include <algorithm>

#include "engine/base/file_system.h"

namespace trainmake {
namespace {

Result<std::vector<PathPattern>> parse_all(const std::vector<std::string>& texts) {
  std::vector<PathPattern> patterns;
  for (const std::string& text : texts) {
    TRY_ASSIGN(PathPattern pattern, PathPattern::parse(text));
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

// An exclude that matches a folder takes all that is in it.
bool excludes(const std::vector<PathPattern>& patterns, std::string_view path) {
  for (; !path.empty(); path = path_folder(path)) {
    if (std::any_of(patterns.begin(), patterns.end(),
                    [&](const PathPattern& pattern) { return pattern.matches(path); }))
      return true;
  }
  return false;
}

}  // namespace

Result<void> FileClaims::add_files(const Value& value) {
  if (const std::string* path = value.string()) paths_.push_back(path_clean(*path).value_or(*path));
  if (const Glob* glob = value.glob()) {
    Group group;
    TRY_ASSIGN(group.include, parse_all(glob->include));
    TRY_ASSIGN(group.exclude, parse_all(glob->exclude));
    groups_.push_back(std::move(group));
  }
  if (const Table* table = value.table()) {
    for (const Value& item : table->items) TRY(add_files(item));
  }
  return {};
}

Result<FileClaims> FileClaims::of(const Schema& schema, const Target& target) {
  FileClaims claims;
  for (const Attribute& attribute : schema.attributes) {
    const Value* value = target.find(attribute.name);
    if (value == nullptr) continue;
    if (attribute.shape == Shape::kFiles || attribute.name == "dockerfile") TRY(claims.add_files(*value));
    if (attribute.shape != Shape::kFileLayers || value->table() == nullptr) continue;
    for (const Value& layer : value->table()->items) {
      const Value* files = layer.table() == nullptr ? nullptr : layer.table()->find("srcs");
      if (files != nullptr) TRY(claims.add_files(*files));
    }
  }
  return claims;
}

bool FileClaims::claims(std::string_view path, bool in_another_project) const {
  if (std::find(paths_.begin(), paths_.end(), path) != paths_.end()) return true;
  if (in_another_project) return false;
  return std::any_of(groups_.begin(), groups_.end(), [&](const Group& group) {
    return std::any_of(group.include.begin(), group.include.end(),
                       [&](const PathPattern& pattern) { return pattern.matches(path); }) &&
           !excludes(group.exclude, path);
  });
}

bool FileClaims::may_claim_below(std::string_view folder) const {
  return std::any_of(groups_.begin(), groups_.end(), [&](const Group& group) {
    return std::any_of(group.include.begin(), group.include.end(),
                       [&](const PathPattern& pattern) { return pattern.may_match_below(folder); });
  });
}

}  // namespace trainmake
