#include "engine/container/devices.h"

#include <algorithm>

namespace trainmake {
namespace {

// Two devices of a vendor may each name what they share.
template <typename Part>
void add_new(std::vector<Part>& parts, const std::vector<Part>& more) {
  for (const Part& part : more) {
    const auto is_there = [&](const Part& each) { return each.at == part.at; };
    if (std::none_of(parts.begin(), parts.end(), is_there)) parts.push_back(part);
  }
}

}  // namespace

void DeviceEdits::add(const DeviceEdits& more) {
  add_new(nodes, more.nodes);
  add_new(mounts, more.mounts);
  add_new(links, more.links);
  environment.insert(more.environment.begin(), more.environment.end());
}

}  // namespace trainmake
