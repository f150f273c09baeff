// A `registry` of TRAINSPACE.lua: how it is reached, and what all its repositories share.
#pragma once

#include <string>

#include "engine/model/project.h"
#include "rules/image/registry.h"

namespace trainmake {

struct RegistryService {
  RemotePlace place;
  std::string path;      // that all its repositories begin with; may be empty
  bool is_flat = false;  // names behind it have no folders: `vision/mnist` is `vision-mnist`
};

Result<RegistryService> read_registry_service(const Service& service, const Workspace& workspace);

}  // namespace trainmake
