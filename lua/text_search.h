// string.find, match, gmatch and gsub over a matcher that takes a step for each byte it looks at and pays for
// it as for instructions: Lua's own cannot be stopped.
#pragma once

struct lua_State;

namespace trainmake {

// Replaces them in the library `string`.
void open_text_search(lua_State* state);

}  // namespace trainmake
