// A global table for TRAINFILEs that a room brings: Lua that assigns it, run when the global is first read.
#pragma once

#include <string>
#include <string_view>

namespace trainmake {

struct LuaModule {
  std::string_view name;
  const char* text;
  std::string given = {};  // `...` of that
};

}  // namespace trainmake
