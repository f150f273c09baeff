// The globals that declare: project, the kinds of target, and, in TRAINSPACE.lua, services and defaults.
// Knows names and places, not what may be said of a kind.
#pragma once

#include "engine/base/error.h"

struct lua_State;

namespace trainmake {

Result<int> declare_project(lua_State* state);  // project { name = "x" }
Result<int> begin_declaration(
    lua_State* state);  // kind "name", which gives a function that takes the table; upvalue 1: kind
Result<int> declare_limits(lua_State* state);   // limits { requests = 64 }
Result<int> declare_default(lua_State* state);  // default_store "name"; upvalue 1: kind

}  // namespace trainmake
