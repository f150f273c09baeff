#include "lua/values.h"

#include <array>
#include <lua5.4/lua.hpp>
#include <new>
#include <optional>
#include <utility>

#include "engine/base/glob.h"
#include "engine/base/text.h"
#include "lua/evaluation.h"
#include "lua/guard.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

constexpr const char* kGlobType = "glob";
constexpr const char* kPlacedType = "placed path";
constexpr const char* kRefusedType = "refused value";
constexpr std::uint64_t kPatternCost = 100;  // in instructions, of reading a pattern
constexpr std::uint64_t kPatternByteCost = 4;

// What a value holds outside of Lua. Its userdata is larger by that, so that it counts as memory of the file,
// and the collector knows of it.
std::size_t held_bytes(const Glob& glob) {
  std::size_t bytes = 0;
  for (const auto* patterns : {&glob.include, &glob.exclude}) {
    for (const std::string& pattern : *patterns) bytes += sizeof(std::string) + pattern.size();
  }
  return bytes;
}
std::size_t held_bytes(const PlacedPath& placed) { return placed.rest.size(); }

template <typename T>
void push(lua_State* state, const char* type, T value) {
  void* place = lua_newuserdatauv(state, sizeof(T) + held_bytes(value), 0);
  new (place) T(std::move(value));
  luaL_setmetatable(state, type);
}

template <typename T>
int drop(lua_State* state) {
  static_cast<T*>(lua_touserdata(state, 1))->~T();
  return 0;
}

void register_type(lua_State* state, const char* name, lua_CFunction drop_value) {
  luaL_newmetatable(state, name);
  lua_pushcfunction(state, drop_value);
  lua_setfield(state, -2, "__gc");
  lua_pushboolean(state, 0);  // getmetatable must not hand out __gc
  lua_setfield(state, -2, "__metatable");
}

// Tells the error at the line that is running.
void push_refused(lua_State* state, Error error) {
  Vm::of(state).evaluation().tell(std::move(error).at(innermost_place(state)));
  lua_newuserdatauv(state, 0, 0);
  luaL_setmetatable(state, kRefusedType);
}

// Anything joined to it is refused, and not told again.
int join_to_refused(lua_State* state) {
  lua_pushvalue(state, is_refused(state, 1) ? 1 : 2);
  return 1;
}

// data_dir "x" .. "/y" is data_dir "x/y".
Result<int> append_to_placed(lua_State* state) {
  const PlacedPath* placed = placed_at(state, 1);
  if (placed == nullptr || (lua_type(state, 2) != LUA_TSTRING && lua_type(state, 2) != LUA_TNUMBER)) {
    return fail(
        user_error("Text can only be added behind a placed path",
                   "Its front is not known before a platform is chosen: give it as an argument of its own"));
  }
  lua_pushvalue(state, 2);  // lua_tolstring would change a number in place
  PlacedPath longer{placed->place, placed->rest + text_at(state, -1)};
  push(state, kPlacedType, std::move(longer));
  return 1;
}

Result<void> add_pattern(lua_State* state, std::string pattern, std::vector<std::string>& into) {
  TRY(Vm::of(state).spend(kPatternCost + kPatternByteCost * pattern.size()));
  into.push_back(std::move(pattern));
  return {};
}

// A string, or a list of strings, at the top of the stack; pops it.
Result<void> take_patterns(lua_State* state, std::string_view what, std::vector<std::string>& into) {
  const int index = lua_gettop(state);
  if (lua_type(state, index) == LUA_TSTRING) {
    TRY(add_pattern(state, text_at(state, index), into));
  } else if (lua_type(state, index) == LUA_TTABLE) {
    const auto count = static_cast<lua_Integer>(lua_rawlen(state, index));
    for (lua_Integer i = 1; i <= count; ++i) {
      if (lua_rawgeti(state, index, i) != LUA_TSTRING) {
        return fail(user_error(cat("A pattern of ", what, " is a string, not ", described(state, -1))));
      }
      TRY(add_pattern(state, text_at(state, -1), into));
      lua_pop(state, 1);
    }
  } else {
    return fail(
        user_error(cat("`", what, "` takes a string or a list of strings, not ", described(state, index))));
  }
  lua_pop(state, 1);
  return {};
}

Result<void> take_option(lua_State* state, Glob& glob) {
  const std::string name = text_at(state, -2);
  if (name == "exclude") {
    lua_pushvalue(state, -1);
    return take_patterns(state, name, glob.exclude);
  }
  if (name == "allow_empty" && lua_isboolean(state, -1)) {
    glob.allow_empty = lua_toboolean(state, -1) != 0;
    return {};
  }
  if (name == "allow_empty") {
    return fail(user_error(cat("`allow_empty` is true or false, not ", described(state, -1))));
  }
  static const std::vector<std::string> kOptions = {"exclude", "allow_empty"};
  const std::string meant = did_you_mean(name, kOptions);
  return fail(user_error(cat(quoted(name), " is not an option of `glob`"),
                         meant.empty() ? "It has `exclude` and `allow_empty`" : meant));
}

// Each pattern that cannot be one; a refused value is then on the stack.
bool tell_wrong_patterns(lua_State* state, const Glob& glob) {
  const int before = lua_gettop(state);
  for (const auto* patterns : {&glob.include, &glob.exclude}) {
    for (const std::string& pattern : *patterns) {
      Result<PathPattern> parsed = PathPattern::parse(pattern);
      if (parsed) continue;
      lua_settop(state, before);
      push_refused(state, std::move(parsed).error());
    }
  }
  return lua_gettop(state) > before;
}

}  // namespace

void register_values(lua_State* state) {
  register_type(state, kGlobType, &drop<Glob>);
  lua_pop(state, 1);
  register_type(state, kPlacedType, &drop<PlacedPath>);
  lua_pushcfunction(state, &guarded<append_to_placed>);
  lua_setfield(state, -2, "__concat");
  lua_pop(state, 1);
  luaL_newmetatable(state, kRefusedType);
  lua_pushcfunction(state, &join_to_refused);
  lua_setfield(state, -2, "__concat");
  lua_pushboolean(state, 0);
  lua_setfield(state, -2, "__metatable");
  lua_pop(state, 1);
}

bool is_refused(lua_State* state, int index) { return luaL_testudata(state, index, kRefusedType) != nullptr; }

const Glob* glob_at(lua_State* state, int index) {
  return static_cast<const Glob*>(luaL_testudata(state, index, kGlobType));
}

const PlacedPath* placed_at(lua_State* state, int index) {
  return static_cast<const PlacedPath*>(luaL_testudata(state, index, kPlacedType));
}

std::string text_at(lua_State* state, int index) {
  std::size_t size = 0;
  const char* text = lua_tolstring(state, index, &size);
  return {text, size};
}

std::string described(lua_State* state, int index) {
  switch (lua_type(state, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
      return "nothing";
    case LUA_TUSERDATA:
      if (glob_at(state, index) != nullptr) return "a glob";
      if (is_refused(state, index)) return "a path that is refused";
      return placed_at(state, index) != nullptr ? "a placed path" : "an error";
    default:
      return cat("a ", luaL_typename(state, index));
  }
}

Result<int> make_glob(lua_State* state) {
  Glob glob;
  const int type = lua_type(state, 1);
  if (type != LUA_TSTRING && type != LUA_TTABLE) {
    return fail(user_error(cat("`glob` takes a pattern or a list of patterns, not ", described(state, 1)),
                           "Write `glob \"data/**\"` or `glob { \"data/**\", exclude = { \"**/*.tmp\" } }`"));
  }
  lua_settop(state, 1);
  lua_pushvalue(state, 1);
  TRY(take_patterns(state, "glob", glob.include));
  if (type == LUA_TTABLE) {
    for (lua_pushnil(state); lua_next(state, 1) != 0; lua_pop(state, 1)) {
      if (lua_type(state, -2) == LUA_TSTRING) TRY(take_option(state, glob));
    }
  }
  if (glob.include.empty()) return fail(user_error("`glob` has no pattern", "Write `glob \"data/**\"`"));
  if (tell_wrong_patterns(state, glob)) return 1;
  push(state, kGlobType, std::move(glob));
  return 1;
}

Result<int> make_placed_path(lua_State* state) {
  const auto place = static_cast<Place>(lua_tointeger(state, lua_upvalueindex(1)));
  if (lua_type(state, 1) != LUA_TSTRING && !lua_isnone(state, 1)) {
    return fail(user_error(cat("`", name_of(place), "` takes a path, not ", described(state, 1)),
                           cat("Write `", name_of(place), " \"x\"`")));
  }
  std::string rest = lua_isnone(state, 1) ? std::string() : text_at(state, 1);
  const std::optional<std::string> clean = path_clean(rest);
  if (rest.starts_with('/') || !clean) {
    push_refused(state,
                 user_error(cat("`", name_of(place), "` takes a path below that folder, not ", quoted(rest)),
                            cat("Write it as `", name_of(place), " \"a/b\"`")));
    return 1;
  }
  push(state, kPlacedType, PlacedPath{place, *clean});
  return 1;
}

}  // namespace trainmake
