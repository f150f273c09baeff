// What an image with a `dockerfile` is built on: what the tool made of it, remembered by all that the build
// sees.
#pragma once

#include "engine/model/rule.h"
#include "rules/image/base.h"
#include "rules/image/editions.h"
#include "rules/image/ingredients.h"

namespace trainmake {

// Built when it is not remembered, or when `doing` asks for it. `layout` is that of the store.
Result<Base> built_base(const ImageServices& services, const ImageStore& store, Registry& layout,
                        const Target& image, const Edition& edition, const FileTree& context,
                        const Doing& doing);

}  // namespace trainmake
