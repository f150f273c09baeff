// `image export` and `image load`: an image as it was last made, for somebody else. Neither builds: what goes
// out is what jobs run and registries have, and where the files say something else by now, that is told.
#pragma once

#include "engine/cli/find_images.h"
#include "rules/image/places.h"

namespace trainmake {

Result<int> export_image(const Call& call, const std::string& word);
Result<int> load_images(const Call& call, const std::vector<std::string>& words);
// An image's other names and whether the files say something else by now, on stderr.
void tell_of_image(const Session& session, const FoundImage& image);
// The registries of the workspace.
Result<std::unique_ptr<Places>> places_of(Session& session);

}  // namespace trainmake
