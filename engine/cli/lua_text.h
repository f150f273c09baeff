// Declarations as a TRAINFILE would say them, for people to read: what loops, functions and load_file came
// to. Pure.
#pragma once

#include <string>

#include "engine/model/project.h"

namespace trainmake {

// `job "mnist" { ... }`, an attribute a line, with its place in a comment above.
std::string lua_text(const Declaration& declaration);
// On one line.
std::string lua_text(const Value& value);

}  // namespace trainmake
