// A table of Lua's as a Table of ours, with the lines that the source shows. Knows nothing of schemas.
#pragma once

#include <string_view>

#include "engine/base/error.h"
#include "engine/model/value.h"
#include "lua/source_map.h"

struct lua_State;

namespace trainmake {

struct Converted {
  Table table;
  bool is_whole = true;  // false: something could not be taken, and that was told
};
// The table at `index`. What can be no value (a function, a cycle, a hole, NaN) is an error at its line, or
// else at `where`, and the attribute that holds it becomes nil. `lines` may be nullptr.
// An error is told to the evaluation; more than declarations may hold is raised.
Converted convert_table(lua_State* state, int index, const TableLines* lines, const Location& where);

}  // namespace trainmake
