// What tests of mirrors and of ledgers make them of.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "rules/data/mirror.h"

namespace trainmake {

using Names = std::vector<std::string>;

inline Listing listing(const std::vector<std::pair<std::string, std::string>>& files) {
  Listing made;
  for (const auto& [key, content] : files)
    made.push_back({key, key, "", content.size(), 0644, digest_of(content), {}});
  return made;
}

inline Mirror mirror_of(const Listing& listing, std::string label) {
  Mirror mirror;
  mirror.target = std::move(label);
  mirror.root = tree_identity(listing, false).hex();
  for (const ListedFile& file : listing)
    mirror.objects.push_back({file.key, file.size, file.content, "", {}});
  return mirror;
}

inline UnsettledKey sending(std::string key, const std::string& content) {
  return {std::move(key), Unsettled::kSending, content.size(), digest_of(content)};
}
inline UnsettledKey removing(std::string key, const std::string& content) {
  return {std::move(key), Unsettled::kRemoving, content.size(), digest_of(content)};
}

inline Names keys(const std::vector<UnsettledKey>& unsettled) {
  Names names;
  for (const UnsettledKey& each : unsettled) names.push_back(each.key);
  return names;
}

}  // namespace trainmake
