#include "lua/table_functions.h"

#include <cstdint>
#include <lua5.4/lua.hpp>

#include "lua/guard.h"
#include "lua/text_functions.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

// How many steps lead from `first` to `last`; 0 when none do.
std::uint64_t distance(lua_Integer first, lua_Integer last) {
  return last > first ? static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) : 0;
}

Result<void> pay_for_moves(lua_State* state, lua_Integer first, lua_Integer last) {
  constexpr std::uint64_t kMoveCost = 3;
  const std::uint64_t moves = distance(first, last);
  return Vm::of(state).spend(moves > UINT64_MAX / kMoveCost ? UINT64_MAX : moves * kMoveCost);
}

Result<int> insert(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  // As Lua adds: the length may be the greatest number there is.
  auto last = static_cast<lua_Integer>(static_cast<lua_Unsigned>(luaL_len(state, 1)) + 1U);
  const int arguments = lua_gettop(state);
  if (arguments != 2 && arguments != 3) return luaL_error(state, "wrong number of arguments to 'insert'");
  if (arguments == 3) {
    const lua_Integer at = luaL_checkinteger(state, 2);
    // As unsigned: the length may be any number.
    luaL_argcheck(state, static_cast<lua_Unsigned>(at) - 1U < static_cast<lua_Unsigned>(last), 2,
                  "position out of bounds");
    TRY(pay_for_moves(state, at, last));
    for (; last > at; --last) {
      lua_geti(state, 1, last - 1);
      lua_seti(state, 1, last);
    }
  }
  lua_seti(state, 1, last);
  return 0;
}

Result<int> remove(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  const lua_Integer size = luaL_len(state, 1);
  lua_Integer at = luaL_optinteger(state, 2, size);
  if (at != size) {
    luaL_argcheck(state, static_cast<lua_Unsigned>(at) - 1U <= static_cast<lua_Unsigned>(size), 2,
                  "position out of bounds");
  }
  TRY(pay_for_moves(state, at, size));
  lua_geti(state, 1, at);
  for (; at < size; ++at) {
    lua_geti(state, 1, at + 1);
    lua_seti(state, 1, at);
  }
  lua_pushnil(state);
  lua_seti(state, 1, at);
  return 1;
}

// Calls the original for a range whose ends are the arguments at `first_index` and behind it. Both are
// written down, so that it does what was paid for: a length may be another one each time.
Result<int> call_for_range(lua_State* state, int first_index, lua_Integer most, const char* problem) {
  const lua_Integer first = luaL_optinteger(state, first_index, 1);
  const lua_Integer last = lua_isnoneornil(state, first_index + 1)
                               ? luaL_len(state, 1)
                               : luaL_checkinteger(state, first_index + 1);
  if (distance(first, last) >= static_cast<std::uint64_t>(most)) return luaL_error(state, problem);
  TRY(pay_for_moves(state, first, last));
  lua_settop(state, first_index - 1);
  lua_pushinteger(state, first);
  lua_pushinteger(state, last);
  return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

Result<int> concat(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  lua_settop(state, 4);
  return call_for_range(state, 3, LUA_MAXINTEGER, "too many texts");
}

Result<int> unpack(lua_State* state) {
  constexpr lua_Integer kMostResults = 1'000'000;  // Lua's stack holds no more
  return call_for_range(state, 2, kMostResults, "too many results to unpack");
}

}  // namespace

void open_table_functions(lua_State* state) {
  wrap_function(state, "table", "insert", &guarded<insert>);
  wrap_function(state, "table", "remove", &guarded<remove>);
  wrap_function(state, "table", "concat", &guarded<concat>);
  wrap_function(state, "table", "unpack", &guarded<unpack>);
}

}  // namespace trainmake
