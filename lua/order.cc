#include "lua/order.h"

#include <algorithm>
#include <cstdint>
#include <lua5.4/lua.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/base/text.h"
#include "lua/guard.h"
#include "lua/values.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

// A key as it is ordered. The text is Lua's own, and lives as long as the table holds the key.
struct Key {
  enum class Type : std::uint8_t { kNumber, kText, kBoolean } type = Type::kNumber;
  bool whole = false;
  bool truth = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text = {};

  friend bool operator<(const Key& a, const Key& b) {
    if (a.type != b.type) return a.type < b.type;
    if (a.type == Type::kText) return a.text < b.text;
    if (a.type == Type::kBoolean) return !a.truth && b.truth;
    if (a.whole && b.whole) return a.integer < b.integer;
    return a.real != b.real ? a.real < b.real : a.whole && !b.whole;
  }
};

Result<Key> key_at(lua_State* state, int index) {
  Key key;
  switch (lua_type(state, index)) {
    case LUA_TNUMBER:
      key.whole = lua_isinteger(state, index) != 0;
      key.integer = lua_tointeger(state, index);
      key.real = lua_tonumber(state, index);
      return key;
    case LUA_TSTRING: {
      std::size_t size = 0;
      const char* text = lua_tolstring(state, index, &size);
      key.type = Key::Type::kText;
      key.text = {text, size};
      return key;
    }
    case LUA_TBOOLEAN:
      key.type = Key::Type::kBoolean;
      key.truth = lua_toboolean(state, index) != 0;
      return key;
    default:
      return fail(user_error(
          cat("A table with a key that is ", described(state, index), " has no order to walk it in"),
          "Use names or numbers as keys"));
  }
}

// In instructions, of looking at a key and comparing it with others.
std::uint64_t cost_of(const Key& key) {
  constexpr std::uint64_t kCost = 4;
  constexpr std::uint64_t kBytesComparedAtOnce = 16;
  return kCost + key.text.size() / kBytesComparedAtOnce;
}

void push_key(lua_State* state, const Key& key) {
  if (key.type == Key::Type::kText) {
    lua_pushlstring(state, key.text.data(), key.text.size());
  } else if (key.type == Key::Type::kBoolean) {
    lua_pushboolean(state, key.truth ? 1 : 0);
  } else if (key.whole) {
    lua_pushinteger(state, key.integer);
  } else {
    lua_pushnumber(state, key.real);
  }
}

Result<void> need_table(lua_State* state, std::string_view function) {
  if (lua_type(state, 1) == LUA_TTABLE) return {};
  return fail(user_error(cat("`", function, "` takes a table, not ", described(state, 1))));
}

// Upvalues: the table, its keys in order, how many were given out. What became nil meanwhile is passed over.
Result<int> next_pair(lua_State* state) {
  lua_Integer at = lua_tointeger(state, lua_upvalueindex(3));
  while (lua_rawgeti(state, lua_upvalueindex(2), ++at) != LUA_TNIL) {
    lua_pushvalue(state, -1);
    if (lua_rawget(state, lua_upvalueindex(1)) != LUA_TNIL) {
      lua_pushinteger(state, at);
      lua_replace(state, lua_upvalueindex(3));
      return 2;
    }
    lua_pop(state, 2);
  }
  lua_pushnil(state);
  return 1;
}

Result<int> ordered_pairs(lua_State* state) {
  if (luaL_getmetafield(state, 1, "__pairs") != LUA_TNIL) {
    lua_pushvalue(state, 1);
    lua_call(state, 1, 3);
    return 3;
  }
  TRY(need_table(state, "pairs"));
  lua_settop(state, 1);
  std::vector<Key> keys;
  for (lua_pushnil(state); lua_next(state, 1) != 0; lua_pop(state, 1)) {
    TRY_ASSIGN(const Key key, key_at(state, -2));
    keys.push_back(key);
    TRY(Vm::of(state).spend(cost_of(key)));
  }
  if (!std::is_sorted(keys.begin(), keys.end())) std::sort(keys.begin(), keys.end());
  lua_createtable(state, static_cast<int>(keys.size()), 0);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    push_key(state, keys[i]);
    lua_rawseti(state, 2, static_cast<lua_Integer>(i) + 1);
  }
  lua_pushinteger(state, 0);
  lua_pushcclosure(state, &guarded<next_pair>, 3);
  return 1;
}

// The least key above the given one; without one, the least.
Result<int> ordered_next(lua_State* state) {
  TRY(need_table(state, "next"));
  lua_settop(state, 2);
  std::optional<Key> after;
  if (!lua_isnil(state, 2)) {
    TRY_ASSIGN(after, key_at(state, 2));
  }
  std::optional<Key> least;
  for (lua_pushnil(state); lua_next(state, 1) != 0; lua_pop(state, 1)) {
    TRY_ASSIGN(const Key key, key_at(state, -2));
    TRY(Vm::of(state).spend(cost_of(key)));
    if ((!after || *after < key) && (!least || key < *least)) least = key;
  }
  if (!least) {
    lua_pushnil(state);
    return 1;
  }
  push_key(state, *least);
  lua_pushvalue(state, -1);
  lua_rawget(state, 1);
  return 2;
}

}  // namespace

void open_ordered_walks(lua_State* state) {
  lua_pushcfunction(state, &guarded<ordered_pairs>);
  lua_setglobal(state, "pairs");
  lua_pushcfunction(state, &guarded<ordered_next>);
  lua_setglobal(state, "next");
}

}  // namespace trainmake
