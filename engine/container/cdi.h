// What a file of the Container Device Interface says: how a vendor's devices get into a container
// (https://github.com/cncf-tags/container-device-interface, SPEC.md). Knows no vendor. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/container/devices.h"

namespace trainmake {

struct CdiSpec {
  std::string kind;                            // "nvidia.com/gpu"
  DeviceEdits common;                          // of whichever device
  std::map<std::string, DeviceEdits> devices;  // by name, as "0"
};

// YAML or JSON; nothing of what is neither, or no such file. What it would have mounted may not be written
// to, whatever it says. Hooks are programs of the host's and not run: of those whose name is
// `create-symlinks` the links are taken, and all others left out.
std::optional<CdiSpec> parse_cdi(std::string_view text);

}  // namespace trainmake
