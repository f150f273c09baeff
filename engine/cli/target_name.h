// What a target is called after something that has another kind of name. Pure.
#pragma once

#include <string>
#include <string_view>

namespace trainmake {

// A name that targets, images and tags may have: what cannot stand in one becomes `-`.
std::string target_name(std::string_view name);

}  // namespace trainmake
