// The values that Lua carries without looking inside: globs and placed paths, as userdata that convert reads
// back; and what any value is called in a message.
#pragma once

#include <string>

#include "engine/base/error.h"
#include "engine/model/value.h"

struct lua_State;

namespace trainmake {

void register_values(lua_State* state);

const Glob* glob_at(lua_State* state, int index);          // nullptr when it is something else
const PlacedPath* placed_at(lua_State* state, int index);  // nullptr when it is something else
// What stands in place of a glob or a path that was refused, and told: evaluation goes on.
bool is_refused(lua_State* state, int index);

std::string text_at(lua_State* state, int index);  // REQUIRES: a string
// "a string", "a table", "a function": what stands at `index`, for messages.
std::string described(lua_State* state, int index);

Result<int> make_glob(lua_State* state);         // glob "p", glob { "a", "b", exclude = ... }
Result<int> make_placed_path(lua_State* state);  // upvalue 1: the Place

}  // namespace trainmake
