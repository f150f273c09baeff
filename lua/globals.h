// The globals of both files, as a table: what each is called, where it may stand, and what it does.
#pragma once

#include <string>
#include <vector>

#include "lua/evaluation.h"

struct lua_State;

namespace trainmake {

struct Global {
  std::string name;
  bool in_trainfile = true;
  bool in_trainspace = true;

  bool allowed(FileRole role) const { return role == FileRole::kProject ? in_trainfile : in_trainspace; }
};

// Ours, sorted by name.
const std::vector<Global>& globals();

// Puts those of `role` into the sandbox, and makes reading any other name an error.
void open_globals(lua_State* state, FileRole role);

}  // namespace trainmake
