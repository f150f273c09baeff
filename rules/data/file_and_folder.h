// Keys that no folder can have beside each other.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace trainmake {

// Of what has keys, sorted by them: one that is a folder of another, and that other.
template <typename Keyed>
std::optional<std::pair<std::string, std::string>> find_file_and_folder(const std::vector<Keyed>& all) {
  std::vector<const std::string*> begins;  // keys that the one at hand begins with
  for (const Keyed& each : all) {
    while (!begins.empty() && !each.key.starts_with(*begins.back())) begins.pop_back();
    for (const std::string* folder : begins) {
      if (each.key[folder->size()] == '/') return std::pair(*folder, each.key);
    }
    begins.push_back(&each.key);
  }
  return std::nullopt;
}

}  // namespace trainmake
