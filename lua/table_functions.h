// Lua's functions on tables that loop in C: what they are about to do is paid for as instructions first, so a
// length that is made up, or a long table moved again and again, is stopped.
#pragma once

struct lua_State;

namespace trainmake {

// Replaces them in the library `table`.
void open_table_functions(lua_State* state);

}  // namespace trainmake
