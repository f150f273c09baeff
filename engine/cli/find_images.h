// The images that a person names, as they were last made: what is handed out and checked is what jobs use and
// registries have, whatever the files say by now.
#pragma once

#include <string>
#include <vector>

#include "engine/cli/commands.h"
#include "rules/image/image_contents.h"

namespace trainmake {

struct FoundImage {
  Target target;
  Record record;
  ImageAddress address;
  std::vector<std::string> tags;  // that it has
  bool up_to_date = true;         // false: the files say something else by now
};

// Of labels and patterns; of a pattern, images alone. An error of those that were never made, and of labels
// of other kinds. Opens the state.
Result<std::vector<FoundImage>> find_images(const Call& call, const std::vector<std::string>& words);

}  // namespace trainmake
