// Patterns against Lua's own matcher, and the steps that they take.
#include "engine/base/lua_pattern.h"

#include <gtest/gtest.h>
#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <lua5.4/lualib.h>

#include <memory>
#include <random>

namespace trainmake {
namespace {

// string.match of Lua; its error when it has one.
class Lua {
 public:
  Lua() : state_(luaL_newstate(), &lua_close) {
    luaL_requiref(state_.get(), "string", luaopen_string, 0);
    lua_getfield(state_.get(), -1, "match");
  }
  std::optional<std::string> match(const std::string& subject, const std::string& pattern, bool& fails) {
    lua_State* state = state_.get();
    lua_pushvalue(state, -1);
    lua_pushlstring(state, subject.data(), subject.size());
    lua_pushlstring(state, pattern.data(), pattern.size());
    fails = lua_pcall(state, 2, 1, 0) != LUA_OK;
    std::optional<std::string> found;
    std::size_t size = 0;
    if (const char* text = fails ? nullptr : lua_tolstring(state, -1, &size)) found.emplace(text, size);
    lua_pop(state, 1);
    return found;
  }

 private:
  std::unique_ptr<lua_State, void (*)(lua_State*)> state_;
};

std::string pick(std::mt19937& random, const std::vector<std::string>& pieces, unsigned most) {
  std::string text;
  for (unsigned count = static_cast<unsigned>(random()) % most; count > 0; --count)
    text += pieces[random() % pieces.size()];
  return text;
}

TEST(LuaPattern, MatchesWhatLuaMatches) {
  const std::vector<std::string> items = {
      "a", "b", ".",  "%d", "%a",   "%S", "[ab]", "[^a]",   "[a-c%d]", "[]]",   "*", "+", "-",     "?",
      "(", ")", "()", "%1", "%b()", "^",  "$",    "%f[%a]", "%%",      "[%w_]", "1", " ", "%f[%z]"};
  const std::vector<std::string> letters = {"a", "b", "c", "1", "2", " ", "(", ")", "]", "%", "_", "\n"};
  std::mt19937 random(4);
  Lua lua;
  int matched = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string pattern = pick(random, items, 8);
    const std::string subject = pick(random, letters, 14);
    bool fails = false;
    const std::optional<std::string> wanted = lua.match(subject, pattern, fails);
    const Result<LuaPattern> ours = LuaPattern::parse(pattern);
    if (fails) {
      EXPECT_FALSE(ours) << pattern;
    } else if (ours) {
      EXPECT_EQ(ours->match(subject).text, wanted) << pattern << " in " << subject;
      matched += wanted ? 1 : 0;
    }
  }
  EXPECT_GT(matched, 20'000);
}

TEST(LuaPattern, GivesUpWhatTakesTooLong) {
  const Result<LuaPattern> pattern = LuaPattern::parse(".-.-.-.-b");
  ASSERT_TRUE(pattern);
  EXPECT_FALSE(pattern->match("aaaa").gave_up);
  EXPECT_TRUE(pattern->match(std::string(8000, 'a')).gave_up);
  EXPECT_EQ(pattern->match("ab").text, "ab");
}

}  // namespace
}  // namespace trainmake
