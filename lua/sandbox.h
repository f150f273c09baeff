// Which of Lua's own functions a TRAINFILE has, and the few that differ so that evaluation is the same every
// time: nothing that reaches outside, no clock, no chance, no addresses, tables walked in order. Knows
// nothing of targets.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/error.h"

struct lua_State;

namespace trainmake {

// Leaves the libraries in the global table.
void open_sandbox(lua_State* state);

// What to do instead, when `name` is a global of Lua that a TRAINFILE does not have; else empty.
std::string_view instead_of(std::string_view name);

}  // namespace trainmake
