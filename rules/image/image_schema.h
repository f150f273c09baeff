// What may be said of an image, and what is wrong with what is said.
#pragma once

#include "engine/model/schema.h"

namespace trainmake {

const Schema& image_schema();
std::vector<Error> wrong_compression(const Value& name);  // of an image or a registry

// The `dest` of a layer as its one spelling, `/a/b`; nothing when it leads out of the image.
std::optional<std::string> clean_dest(std::string_view dest);

}  // namespace trainmake
