#include "lua/text_functions.h"

#include <algorithm>
#include <climits>
#include <lua5.4/lua.hpp>
#include <string>
#include <string_view>

#include "engine/base/text.h"
#include "lua/guard.h"
#include "lua/values.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

constexpr std::size_t kBytesReadAtOnce = 4;  // in the time of an instruction
constexpr lua_Integer kMostTimes = INT_MAX;  // Lua refuses more

Result<int> original(lua_State* state) { return lua_tocfunction(state, lua_upvalueindex(1))(state); }

std::string_view view_at(lua_State* state, int index) {
  std::size_t size = 0;
  const char* text = lua_tolstring(state, index, &size);
  return text == nullptr ? std::string_view() : std::string_view(text, size);
}

// A thing whose text in Lua would be its address.
bool has_no_text(lua_State* state, int index) {
  const int type = lua_type(state, index);
  if (type == LUA_TNONE || type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER ||
      type == LUA_TSTRING)
    return false;
  if (luaL_getmetafield(state, index, "__tostring") == LUA_TNIL) return true;
  lua_pop(state, 1);
  return false;
}

void push_type_text(lua_State* state, int index) {
  const std::string text = described(state, index);  // "a table"
  lua_pushstring(state, text.c_str() + std::min(text.find(' ') + 1, text.size()));
}

Result<int> to_text(lua_State* state) {
  if (!has_no_text(state, 1)) return original(state);
  push_type_text(state, 1);
  return 1;
}

Result<int> format(lua_State* state) {
  const std::string_view pattern = view_at(state, 1);
  TRY(Vm::of(state).spend(pattern.size()));
  int argument = 1;
  for (std::size_t at = 0; (at = pattern.find('%', at)) != std::string_view::npos; ++at) {
    at = std::min(pattern.find_first_not_of("-+ #0123456789.", at + 1), pattern.size());
    const char letter = at < pattern.size() ? pattern[at] : '\0';
    if (letter != '%') ++argument;
    if (letter == 'p')
      return fail(user_error("`%p` is not available here: addresses differ from run to run", "Use `%s`"));
    if (letter == 's' && has_no_text(state, argument)) {
      push_type_text(state, argument);
      lua_replace(state, argument);
    }
  }
  return original(state);
}

// Lua counts to the end even where nothing is repeated, and copies byte by byte.
Result<int> repeat(lua_State* state) {
  if (lua_isstring(state, 1) != 0 && lua_isnumber(state, 2) != 0 && view_at(state, 1).empty() &&
      (lua_isnoneornil(state, 3) || (lua_isstring(state, 3) != 0 && view_at(state, 3).empty()))) {
    lua_pushliteral(state, "");
    return 1;
  }
  const lua_Integer times = lua_tointeger(state, 2);
  if (times > 0 && times <= kMostTimes) Vm::of(state).charge(static_cast<std::uint64_t>(times));
  return original(state);
}

// For functions that read all of their first argument and make no text of that size, which would be paid for.
Result<int> pay_for_text(lua_State* state) {
  if (lua_type(state, 1) == LUA_TSTRING)
    TRY(Vm::of(state).spend(view_at(state, 1).size() / kBytesReadAtOnce));
  return original(state);
}

}  // namespace

void wrap_function(lua_State* state, const char* library, const char* name, LuaFunction wrapper) {
  if (library == nullptr) {
    lua_pushglobaltable(state);
  } else {
    lua_getglobal(state, library);
  }
  lua_getfield(state, -1, name);
  lua_pushcclosure(state, wrapper, 1);
  lua_setfield(state, -2, name);
  lua_pop(state, 1);
}

void open_text_functions(lua_State* state) {
  wrap_function(state, nullptr, "tostring", &guarded<to_text>);
  wrap_function(state, "string", "format", &guarded<format>);
  wrap_function(state, "string", "rep", &guarded<repeat>);
  wrap_function(state, nullptr, "tonumber", &guarded<pay_for_text>);
  wrap_function(state, "utf8", "len", &guarded<pay_for_text>);
  for (const char* name : {"pack", "packsize", "unpack"})
    wrap_function(state, "string", name, &guarded<pay_for_text>);
}

}  // namespace trainmake
