// The globals that look outside the file: env, list, load_file, and select, which looks at the chosen
// platform. Everything they look at is recorded, so that a later run can tell whether evaluation would give
// the same.
#pragma once

#include <string>

#include "engine/base/error.h"

struct lua_State;

namespace trainmake {

Result<int> read_variable(lua_State* state);  // env("NAME", default)
Result<int> list_files(lua_State* state);     // list(glob "a/**")
Result<int> load_file(lua_State* state);      // load_file "common.lua"
Result<int> select_by_platform(
    lua_State* state);  // select { slurm = a, default = b }; upvalue 1: Lua's own select

// Runs the source at `path`, which was read: what it returns (one value) stays on the stack.
Result<void> run_file(lua_State* state, const std::string& path);

}  // namespace trainmake
