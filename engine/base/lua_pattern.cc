#include "engine/base/lua_pattern.h"

// Without extern "C": the library is the one that is built as C++.
#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <lua5.4/lualib.h>

#include <utility>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// string.match meets a mistake only when it gets there; this one looks at all of the pattern. Empty when it
// is well formed.
std::string mistake_in(std::string_view text) {
  int open = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++open;
    if (text[i] == ')' && --open < 0) return "`)` closes nothing";
    if (text[i] == '%') {
      if (++i == text.size()) return "it ends with `%`";
      if (text[i] == 'b' && (i += 2) >= text.size()) return "`%b` needs two characters";
      if (text[i] == 'f' && (i + 1 == text.size() || text[i + 1] != '['))
        return "`%f` needs a set, as `%f[%d]`";
    } else if (text[i] == '[') {
      if (++i < text.size() && text[i] == '^') ++i;
      // A `]` that comes first stands for itself.
      for (bool first = true; i < text.size() && (first || text[i] != ']'); ++i, first = false)
        i += text[i] == '%' ? 1 : 0;
      if (i >= text.size()) return "`[` is not closed";
    }
  }
  return open > 0 ? "`(` is not closed" : "";
}

}  // namespace

void LuaPattern::Closer::operator()(lua_State* state) const { lua_close(state); }

LuaPattern::LuaPattern(std::string text, std::unique_ptr<lua_State, Closer> state)
    : text_(std::move(text)), state_(std::move(state)) {}

Result<LuaPattern> LuaPattern::parse(std::string text) {
  if (const std::string mistake = mistake_in(text); !mistake.empty()) {
    return fail(user_error(cat("Lua pattern ", quoted(text), " is malformed: ", mistake),
                           "Write a literal `%`, `(`, `)` or `[` as `%%`, `%(`, `%)` or `%[`"));
  }
  std::unique_ptr<lua_State, Closer> state(luaL_newstate());
  CHECK(state != nullptr);
  luaL_requiref(state.get(), "string", luaopen_string, 0);
  lua_getfield(state.get(), -1, "match");  // stays on the stack
  return LuaPattern(std::move(text), std::move(state));
}

std::optional<std::string> LuaPattern::match(std::string_view subject) const {
  lua_State* state = state_.get();
  lua_pushvalue(state, -1);
  lua_pushlstring(state, subject.data(), subject.size());
  lua_pushlstring(state, text_.data(), text_.size());
  std::optional<std::string> found;
  if (lua_pcall(state, 2, 1, 0) == LUA_OK && lua_isstring(state, -1) != 0) {
    std::size_t size = 0;
    const char* bytes = lua_tolstring(state, -1, &size);
    found.emplace(bytes, size);
  }
  lua_pop(state, 1);
  return found;
}

}  // namespace trainmake
