// The border between C++ and Lua: every function that a TRAINFILE can call is a Binding behind `guarded`,
// which turns its Error into a Lua error that carries it, with the place it was raised at. Lua is built as
// C++ here, so its own errors unwind through bindings and no destructor is skipped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

struct lua_State;

namespace trainmake {

// Returns how many values it left on the stack, as a lua_CFunction does.
using Binding = Result<int> (*)(lua_State* state);

int run_guarded(lua_State* state, Binding binding);

template <Binding kBinding>
int guarded(lua_State* state) {
  return run_guarded(state, kBinding);
}

// Raises `error` in Lua, placed at the innermost line of the person's files if it has no place yet. Does not
// return.
[[noreturn]] void raise(lua_State* state, Error error);

// The lines of the person's files that are being run, innermost first; at most `most`.
std::vector<Location> active_places(lua_State* state, std::size_t most = 16);
Location innermost_place(lua_State* state);

// The message handler of lua_pcall: makes whatever was raised an Error with a place.
int explain_error(lua_State* state);
// Pops what explain_error, or raise, left on top.
Error take_error(lua_State* state);
// What lua_load said of a text that is no Lua; pops it.
Error take_syntax_error(lua_State* state, const std::string& path);

// "Called from TRAINFILE.lua:4" of active_places, less `where`; empty when nothing else is left.
std::string call_hint(const std::vector<Location>& places, const Location& where);
// `hint` and `more` as one hint.
std::string join_hints(std::string hint, std::string_view more);

// Makes the metatable that errors have in Lua. REQUIRES: called once, before anything can fail.
void register_errors(lua_State* state);

}  // namespace trainmake
