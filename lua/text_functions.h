// Lua's functions on text where they differ here: tables and functions have no address, and what C code would
// chew on without end is refused, because the instruction limit cannot interrupt it.
#pragma once

struct lua_State;

namespace trainmake {

using LuaFunction = int (*)(lua_State*);

// Puts `wrapper` in the place of a function of `library` (or of the globals, when nullptr); its upvalue 1 is
// the original.
void wrap_function(lua_State* state, const char* library, const char* name, LuaFunction wrapper);

void open_text_functions(lua_State* state);

}  // namespace trainmake
