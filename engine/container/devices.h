// What a container is given of the host's devices, and what goes with them: their nodes, the files of their
// driver, and what tells programs of both. Plain data.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/container/render.h"

namespace trainmake {

// Made in the container where nothing of that name lies; its target is a path in there.
struct ContainerLink {
  std::string at;
  std::string target;
  friend bool operator==(const ContainerLink&, const ContainerLink&) = default;
};

struct DeviceEdits {
  std::vector<ContainerDevice> nodes;
  std::vector<ContainerMount> mounts;  // read-only
  std::vector<ContainerLink> links;
  std::map<std::string, std::string> environment;

  // What is there by then goes before it.
  void add(const DeviceEdits& more);
};

}  // namespace trainmake
