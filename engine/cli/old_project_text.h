// What UAI-Train's own tools were told, as a TRAINFILE.lua and a TRAINSPACE.lua say it. Pure.
#pragma once

#include <string>
#include <vector>

#include "rules/job/platforms/uai/old/old_project.h"

namespace trainmake {

struct OldProjectText {
  std::string name;  // of every target
  std::string trainfile, trainspace;
  std::vector<std::string> lost;  // with what only shows here
  // What has to be there before it can be planned: paths beside TRAINFILE.lua.
  std::vector<std::string> files = {};
  bool names_place = false;  // where results go
};
OldProjectText text_of(const OldProject& project);

}  // namespace trainmake
