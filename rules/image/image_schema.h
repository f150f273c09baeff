// What may be said of an image, and what is wrong with what is said.
#pragma once

#include "engine/model/schema.h"

namespace trainmake {

const Schema& image_schema();
std::vector<Error> wrong_compression(const Value& name);  // of an image or a registry

}  // namespace trainmake
