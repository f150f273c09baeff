// Letters of ASCII in lower case, for names that mean the same in either. Pure.
#pragma once

#include <string>
#include <string_view>

namespace trainmake {

std::string lower_case(std::string_view text);

}  // namespace trainmake
