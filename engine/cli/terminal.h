// How wide what we write on is.
#pragma once

#include <cstddef>

namespace trainmake {

inline constexpr std::size_t kUsualWidth = 80;

std::size_t terminal_width(int descriptor);  // the usual width where there is no terminal

}  // namespace trainmake
