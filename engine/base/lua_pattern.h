// A Lua pattern, matched by Lua's own string library in a bare state: what a TRAINFILE's author tried with
// string.match is what they get. Knows no TRAINFILE. Thread rule: one thread per pattern.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.h"

struct lua_State;

namespace trainmake {

class LuaPattern {
 public:
  // A user error for what string.match would refuse.
  static Result<LuaPattern> parse(std::string text);
  // The first capture of the first match, or all of it when the pattern captures nothing.
  std::optional<std::string> match(std::string_view subject) const;

 private:
  struct Closer {
    void operator()(lua_State* state) const;
  };
  LuaPattern(std::string text, std::unique_ptr<lua_State, Closer> state);

  std::string text_;
  std::unique_ptr<lua_State, Closer> state_;
};

}  // namespace trainmake
