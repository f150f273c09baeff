// pairs and next that walk a table in an order of its keys: numbers, then text bytewise, then booleans. Lua's
// own order is a matter of chance, and would reach the names of targets.
#pragma once

struct lua_State;

namespace trainmake {

// Replaces the globals.
void open_ordered_walks(lua_State* state);

}  // namespace trainmake
