#include "rules/image/secret_search.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {

std::string not_looked_for(const Secrets& secrets) {
  std::string names;
  for (const auto& [name, value] : secrets) {
    if (!value.empty() && value.size() < kTellingSize) names += cat(names.empty() ? "" : ", ", quoted(name));
  }
  if (names.empty()) return "";
  return cat("Too short to be looked for in what is made: ", names, " (fewer than ", kTellingSize,
             " characters)");
}

SecretSearch::SecretSearch(const Secrets& secrets) {
  for (const auto& [name, value] : secrets) {
    if (value.size() < kTellingSize) continue;
    values_.emplace_back(name, value);
    longest_ = std::max(longest_, value.size());
  }
}

std::string SecretSearch::add(std::string_view bytes) {
  if (values_.empty()) return "";
  held_ += bytes;
  for (const auto& [name, value] : values_) {
    if (held_.find(value) != std::string::npos) return name;
  }
  if (held_.size() >= longest_) held_.erase(0, held_.size() - (longest_ - 1));
  return "";
}

}  // namespace trainmake
