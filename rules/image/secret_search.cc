#include "rules/image/secret_search.h"

#include <algorithm>

namespace trainmake {

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
