// Layers may have files in folders that they do not list. Unpacked alone, such a folder has to be made of
// nothing, and would hide what the layers below say of it: its mode and its owner.
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/container/unpacked_layers.h"

namespace trainmake {

// A layer to lie on `layers` (the top one first), in `folder`: those folders as the layers below them have
// them. False, with nothing made, when there are none.
Result<bool> mend_implied(const std::vector<UnpackedLayer>& layers, const std::string& folder);

}  // namespace trainmake
