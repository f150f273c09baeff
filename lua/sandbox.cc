#include "lua/sandbox.h"

#include <array>
#include <lua5.4/lua.hpp>
#include <utility>

#include "engine/base/text.h"
#include "lua/guard.h"
#include "lua/order.h"
#include "lua/table_functions.h"
#include "lua/text_functions.h"
#include "lua/text_search.h"
#include "lua/vm.h"

namespace trainmake {

extern const char kPreludeLua[];  // lua/prelude.lua
namespace {

constexpr std::string_view kNoChunks = "Put the code into a file and use `load_file \"common.lua\"`";
constexpr std::string_view kNoClock = "Take what it needs from outside as `env(\"NAME\", default)`";
constexpr std::string_view kNoChance = "Write a number, or take one as `env(\"SEED\", default)`";

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kMissing = {{
    {"collectgarbage", "Memory is freed without it"},
    {"coroutine", "Use a loop or a function"},
    {"debug", "`error(text)` shows a value"},
    {"dofile", kNoChunks},
    {"io", "Use `load_file`, `glob` or `list`"},
    {"load", kNoChunks},
    {"loadfile", kNoChunks},
    {"loadstring", kNoChunks},
    {"module", kNoChunks},
    {"os", kNoClock},
    {"package", kNoChunks},
    {"print", "`error(text)` shows a value, and `trainmake query` what is declared"},
    {"require", kNoChunks},
    {"warn", "`error(text)` shows a value"},
}};

// A function that is gone from a library: upvalue 1 is its name, upvalue 2 what to do instead.
Result<int> refuse_call(lua_State* state) {
  return fail(user_error(cat("`", lua_tostring(state, lua_upvalueindex(1)), "` is not available here"),
                         lua_tostring(state, lua_upvalueindex(2))));
}

void refuse(lua_State* state, const char* library, const char* function, std::string_view instead) {
  lua_getglobal(state, library);
  lua_pushstring(state, cat(library, ".", function).c_str());
  lua_pushlstring(state, instead.data(), instead.size());
  lua_pushcclosure(state, &guarded<refuse_call>, 2);
  lua_setfield(state, -2, function);
  lua_pop(state, 1);
}

// A collector's timing must not show: no finalizers, no weak tables. A `__mode` that comes later is not seen
// here; Lua collects by sizes alone, so that it comes to the same each time.
Result<int> set_metatable(lua_State* state) {
  if (lua_type(state, 2) == LUA_TTABLE) {
    for (const char* name : {"__gc", "__mode"}) {
      lua_pushstring(state, name);
      if (lua_rawget(state, 2) != LUA_TNIL)
        return fail(user_error(cat("`", name, "` is not available here"), "Leave it out"));
      lua_pop(state, 1);
    }
  }
  return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

// An error that is caught has cost far more than the instruction that raised it.
Result<int> protected_call(lua_State* state) {
  constexpr std::uint64_t kCatchCost = 1000;
  const int results = lua_tocfunction(state, lua_upvalueindex(1))(state);
  if (lua_toboolean(state, -results) == 0) Vm::of(state).charge(kCatchCost);
  return results;
}

void run_prelude(lua_State* state) {
  const std::string_view prelude = kPreludeLua;
  if (luaL_loadbufferx(state, prelude.data(), prelude.size(), "=prelude", "t") != LUA_OK) lua_error(state);
  lua_call(state, 0, 0);
}

}  // namespace

void open_sandbox(lua_State* state) {
  luaL_requiref(state, LUA_GNAME, luaopen_base, 1);
  luaL_requiref(state, LUA_TABLIBNAME, luaopen_table, 1);
  luaL_requiref(state, LUA_STRLIBNAME, luaopen_string, 1);
  luaL_requiref(state, LUA_MATHLIBNAME, luaopen_math, 1);
  luaL_requiref(state, LUA_UTF8LIBNAME, luaopen_utf8, 1);
  lua_settop(state, 0);
  for (const auto& [name, instead] : kMissing) {
    lua_pushnil(state);
    lua_setglobal(state, std::string(name).c_str());
  }
  refuse(state, "string", "dump", kNoChunks);
  refuse(state, "math", "random", kNoChance);
  refuse(state, "math", "randomseed", kNoChance);
  wrap_function(state, nullptr, "setmetatable", &guarded<set_metatable>);
  wrap_function(state, nullptr, "pcall", &guarded<protected_call>);
  open_text_functions(state);
  open_text_search(state);
  open_table_functions(state);
  open_ordered_walks(state);
  run_prelude(state);
}

std::string_view instead_of(std::string_view name) {
  for (const auto& [missing, instead] : kMissing) {
    if (missing == name) return instead;
  }
  return {};
}

}  // namespace trainmake
