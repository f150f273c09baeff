#include "lua/globals.h"

#include <algorithm>
#include <lua5.4/lua.hpp>
#include <string_view>

#include "engine/base/text.h"
#include "engine/model/label.h"
#include "lua/declare.h"
#include "lua/guard.h"
#include "lua/lookups.h"
#include "lua/sandbox.h"
#include "lua/text_functions.h"
#include "lua/values.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

constexpr std::string_view kServices[] = {"platform", "store", "registry"};
constexpr std::string_view kContract = "contract";  // has no default: a platform names it
constexpr Place kPlaces[] = {Place::kCode, Place::kData, Place::kOutput, Place::kCheckpoint, Place::kLog};

std::vector<Global> make_globals() {
  std::vector<Global> all = {{"env"},
                             {"load_file"},
                             {"glob", true, false},
                             {"list", true, false},
                             {"project", true, false},
                             {"select", true, true},
                             {"limits", false, true},
                             {std::string(kContract), false, true}};
  for (const std::string_view kind : kKinds) all.push_back({std::string(kind), true, false});
  for (const Place place : kPlaces) all.push_back({std::string(name_of(place)), true, false});
  for (const std::string_view kind : kServices) {
    all.push_back({std::string(kind), false, true});
    all.push_back({cat("default_", kind), false, true});
  }
  std::sort(all.begin(), all.end(), [](const Global& a, const Global& b) { return a.name < b.name; });
  return all;
}

const Global* find_global(std::string_view name) {
  for (const Global& global : globals()) {
    if (global.name == name) return &global;
  }
  return nullptr;
}

constexpr std::uint64_t kNameCost = 50;  // in instructions, of comparing a name with the one that is meant

std::vector<std::string> known_names(lua_State* state) {
  std::vector<std::string> names;
  lua_pushglobaltable(state);
  for (lua_pushnil(state); lua_next(state, -2) != 0; lua_pop(state, 1)) {
    if (lua_type(state, -2) == LUA_TSTRING) names.push_back(text_at(state, -2));
  }
  lua_pop(state, 1);
  for (const LuaModule& module : Vm::of(state).evaluation().options.modules) names.emplace_back(module.name);
  Vm::of(state).charge(names.size() * kNameCost);
  std::sort(names.begin(), names.end());
  return names;
}

// The table that a room brings under this name, left on the stack; only a project's file may use it.
bool open_module(lua_State* state, const std::string& name) {
  const Evaluation& evaluation = Vm::of(state).evaluation();
  if (evaluation.role != FileRole::kProject) return false;
  for (const LuaModule& module : evaluation.options.modules) {
    if (module.name != name) continue;
    const std::string_view text = module.text;
    if (luaL_loadbufferx(state, text.data(), text.size(), cat("=", name).c_str(), "t") != LUA_OK)
      lua_error(state);
    lua_pushlstring(state, module.given.data(), module.given.size());
    lua_call(state, 1, 0);
    lua_pushglobaltable(state);
    lua_pushlstring(state, name.data(), name.size());
    return lua_rawget(state, -2) == LUA_TTABLE;
  }
  return false;
}

// __index of the globals: a name that nothing was ever assigned to.
Result<int> unknown_global(lua_State* state) {
  const std::string name = lua_type(state, 2) == LUA_TSTRING ? lua_tostring(state, 2) : "?";
  if (open_module(state, name)) return 1;
  const FileRole role = Vm::of(state).evaluation().role;
  const char* here = role == FileRole::kProject ? "a TRAINFILE" : "TRAINSPACE.lua";
  if (const Global* global = find_global(name); global != nullptr && !global->allowed(role)) {
    return fail(user_error(cat("`", name, "` does not belong in ", here),
                           role == FileRole::kProject ? "It stands in TRAINSPACE.lua, in the workspace's root"
                                                      : "It stands in the TRAINFILE.lua of a project"));
  }
  if (const std::string_view instead = instead_of(name); !instead.empty()) {
    return fail(user_error(cat("`", name, "` is not available in ", here), std::string(instead)));
  }
  return fail(user_error(cat("There is no global ", quoted(name)), did_you_mean(name, known_names(state))));
}

void set_global(lua_State* state, std::string_view name, lua_CFunction function,
                std::string_view upvalue = {}) {
  if (!upvalue.empty()) lua_pushlstring(state, upvalue.data(), upvalue.size());
  lua_pushcclosure(state, function, upvalue.empty() ? 0 : 1);
  lua_setglobal(state, std::string(name).c_str());
}

void open_trainfile(lua_State* state) {
  set_global(state, "project", &guarded<declare_project>);
  set_global(state, "glob", &guarded<make_glob>);
  set_global(state, "list", &guarded<list_files>);
  wrap_function(state, nullptr, "select", &guarded<select_by_platform>);
  for (const std::string_view kind : kKinds) set_global(state, kind, &guarded<begin_declaration>, kind);
  for (const Place place : kPlaces) {
    lua_pushinteger(state, static_cast<lua_Integer>(place));
    lua_pushcclosure(state, &guarded<make_placed_path>, 1);
    lua_setglobal(state, std::string(name_of(place)).c_str());
  }
}

void open_trainspace(lua_State* state) {
  set_global(state, "limits", &guarded<declare_limits>);
  set_global(state, kContract, &guarded<begin_declaration>, kContract);
  for (const std::string_view kind : kServices) {
    set_global(state, kind, &guarded<begin_declaration>, kind);
    set_global(state, cat("default_", kind), &guarded<declare_default>, kind);
  }
}

}  // namespace

const std::vector<Global>& globals() {
  static const std::vector<Global> kAll = make_globals();
  return kAll;
}

void open_globals(lua_State* state, FileRole role) {
  register_values(state);
  set_global(state, "env", &guarded<read_variable>);
  set_global(state, "load_file", &guarded<load_file>);
  role == FileRole::kProject ? open_trainfile(state) : open_trainspace(state);
  lua_pushglobaltable(state);
  lua_createtable(state, 0, 2);
  lua_pushcfunction(state, &guarded<unknown_global>);
  lua_setfield(state, -2, "__index");
  lua_pushboolean(state, 0);
  lua_setfield(state, -2, "__metatable");
  lua_setmetatable(state, -2);
  lua_pop(state, 1);
}

}  // namespace trainmake
