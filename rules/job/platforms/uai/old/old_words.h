// What command lines of the tools and files of the scripts have in common. Pure.
#pragma once

#include <string>
#include <string_view>

#include "rules/job/platforms/uai/old/old_project.h"

namespace trainmake {

// By what it is called: `private_key`, `API_TOKEN`.
bool is_credential(std::string_view name);

// `-u /data/train.py --max_step=2000`: what the service puts behind `/usr/bin/python`. An error never shows
// it.
Result<void> take_docker_cmd(const std::string& command, OldProject& project);

}  // namespace trainmake
