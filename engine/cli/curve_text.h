// A metric's curve in plain characters, for a terminal as for a pipe. Pure.
#pragma once

#include <string>

#include "engine/model/curve.h"

namespace trainmake {

// Lines no wider than `width`, its greatest and least value beside them and its steps below. Empty where
// there are not two numbers to draw a line between.
std::string curve_text(const Curve& curve, std::size_t width);

}  // namespace trainmake
