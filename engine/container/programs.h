// Whether there is a program in a root folder merged of layers, as whoever runs a command in it would look it
// up. Reads only.
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/container/render.h"

namespace trainmake {

struct ProgramPlaces {
  std::vector<std::string> layers;     // unpacked, the top one first
  std::vector<ContainerMount> mounts;  // what is seen at these places is not looked at
  std::string path;                    // PATH
  std::string folder = "/";            // where the command works
};

// `name` is looked up in PATH unless it is a path. The error says where it was looked for.
Result<void> check_program(const ProgramPlaces& places, const std::string& name);

}  // namespace trainmake
