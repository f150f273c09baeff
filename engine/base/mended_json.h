// JSON of a service that passes on what anybody wrote there: one bad character is no reason to know nothing
// of all the rest. Pure.
#pragma once

#include <string>
#include <string_view>

namespace trainmake {

// Bytes that are no UTF-8, and escapes that are half of a surrogate pair, become U+FFFD; control characters
// within strings are escaped. What else is wrong with it stays.
std::string mended_json(std::string_view json);

}  // namespace trainmake
