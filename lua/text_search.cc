#include "lua/text_search.h"

#include <algorithm>
#include <cstring>
#include <lua5.4/lua.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/lua_pattern.h"
#include "engine/base/text.h"
#include "lua/guard.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

constexpr std::size_t kBytesPerStep = 16;    // where memchr and memcmp look
constexpr std::uint64_t kStepsOfAPiece = 4;  // of a replacement: found, pushed, copied

std::string_view text_argument(lua_State* state, int index) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(state, index, &size);
  return {text, size};
}

// Where argument `index` says to start, from 0; beyond the end of a text of `size` when it says so.
std::size_t start_argument(lua_State* state, int index, std::size_t size) {
  const lua_Integer position = luaL_optinteger(state, index, 1);
  if (position > 0) return static_cast<std::size_t>(position) - 1;
  if (position == 0 || position < -static_cast<lua_Integer>(size)) return 0;
  return size - static_cast<std::size_t>(-position);
}

bool has_specials(std::string_view pattern) {
  return pattern.find_first_of("^$*+?.([%-") != std::string_view::npos;
}

using Span = PatternMatcher::Span;
using Start = PatternMatcher::Start;

Result<void> check_pattern(lua_State* state, std::string_view pattern) {
  TRY(Vm::of(state).spend(pattern.size()));
  return check_lua_pattern(pattern);
}

// One subject, one pattern. Steps are taken from the file's instructions. REQUIRES: check_pattern.
class Search {
 public:
  Search(lua_State* state, std::string_view subject, std::string_view pattern)
      : vm_(Vm::of(state)), subject_(subject), matcher_(subject, pattern) {}

  Result<std::optional<Span>> find(const Start& start) {
    const std::uint64_t left = vm_.instructions_left();
    std::uint64_t steps = left;
    std::optional<Span> found = matcher_.find(start, steps);
    TRY(vm_.spend(left - steps));
    if (matcher_.too_complex())
      return fail(user_error("The pattern is too complex", "Search for its parts one after the other"));
    return found;
  }

  std::size_t captures() const { return matcher_.captures(); }

  // A capture, or all of the match where it has none.
  void push_capture(lua_State* state, std::size_t index, const Span& match) const {
    if (index >= captures()) {
      lua_pushlstring(state, subject_.data() + match.begin, match.end - match.begin);
      return;
    }
    const PatternMatcher::Capture& capture = matcher_.capture(index);
    if (capture.is_position()) {
      lua_pushinteger(state, capture.begin - subject_.data() + 1);
    } else {
      lua_pushlstring(state, capture.text().data(), capture.text().size());
    }
  }

  int push_captures(lua_State* state, const Span& match) const {
    const std::size_t count = std::max<std::size_t>(captures(), 1);
    luaL_checkstack(state, static_cast<int>(count), "too many captures");
    for (std::size_t i = 0; i < count; ++i) push_capture(state, i, match);
    return static_cast<int>(count);
  }

 private:
  Vm& vm_;
  std::string_view subject_;
  PatternMatcher matcher_;
};

// Where `word` stands in `text`, paid for by what was compared.
Result<std::optional<std::size_t>> find_word(Vm& vm, std::string_view text, std::string_view word,
                                             std::size_t from) {
  if (word.empty()) return from;
  while (word.size() <= text.size() - from) {
    const std::string_view places = text.substr(0, text.size() - word.size() + 1);
    const std::size_t at = std::min(places.find(word.front(), from), places.size());
    TRY(vm.spend(1 + (at - from + word.size()) / kBytesPerStep));
    if (at == places.size()) break;
    if (text.compare(at, word.size(), word) == 0) return at;
    from = at + 1;
  }
  return std::nullopt;
}

int push_nothing(lua_State* state) {
  lua_pushnil(state);
  return 1;
}

Result<int> find_text(lua_State* state) {
  const std::string_view subject = text_argument(state, 1);
  std::string_view pattern = text_argument(state, 2);
  const std::size_t from = start_argument(state, 3, subject.size());
  if (from > subject.size()) return push_nothing(state);
  if (lua_toboolean(state, 4) != 0 || !has_specials(pattern)) {
    TRY_ASSIGN(const std::optional<std::size_t> at, find_word(Vm::of(state), subject, pattern, from));
    if (!at) return push_nothing(state);
    lua_pushinteger(state, static_cast<lua_Integer>(*at) + 1);
    lua_pushinteger(state, static_cast<lua_Integer>(*at) + static_cast<lua_Integer>(pattern.size()));
    return 2;
  }
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  TRY(check_pattern(state, pattern));
  Search search(state, subject, pattern);
  TRY_ASSIGN(const std::optional<Span> found, search.find({from, anchored}));
  if (!found) return push_nothing(state);
  lua_pushinteger(state, static_cast<lua_Integer>(found->begin) + 1);
  lua_pushinteger(state, static_cast<lua_Integer>(found->end));
  return 2 + (search.captures() == 0 ? 0 : search.push_captures(state, *found));
}

Result<int> match_text(lua_State* state) {
  const std::string_view subject = text_argument(state, 1);
  std::string_view pattern = text_argument(state, 2);
  const std::size_t from = start_argument(state, 3, subject.size());
  if (from > subject.size()) return push_nothing(state);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  TRY(check_pattern(state, pattern));
  Search search(state, subject, pattern);
  TRY_ASSIGN(const std::optional<Span> found, search.find({from, anchored}));
  return found ? search.push_captures(state, *found) : push_nothing(state);
}

// Upvalues: the text, the pattern, where to go on, where the last match ended (-1: nowhere).
Result<int> next_match(lua_State* state) {
  const std::string_view subject = text_argument(state, lua_upvalueindex(1));
  const std::string_view pattern = text_argument(state, lua_upvalueindex(2));
  const auto from = static_cast<std::size_t>(lua_tointeger(state, lua_upvalueindex(3)));
  const lua_Integer last = lua_tointeger(state, lua_upvalueindex(4));
  std::optional<std::size_t> last_end;
  if (last >= 0) last_end = static_cast<std::size_t>(last);
  TRY(check_pattern(state, pattern));
  Search search(state, subject, pattern);
  TRY_ASSIGN(const std::optional<Span> found, search.find({from, false, last_end}));
  const std::size_t on = found ? found->end : subject.size() + 1;
  lua_pushinteger(state, static_cast<lua_Integer>(on));
  lua_copy(state, -1, lua_upvalueindex(3));
  lua_replace(state, lua_upvalueindex(4));
  return found ? search.push_captures(state, *found) : push_nothing(state);
}

Result<int> all_matches(lua_State* state) {
  const std::string_view subject = text_argument(state, 1);
  const std::string_view pattern = text_argument(state, 2);
  TRY(check_pattern(state, pattern));
  const std::size_t from = std::min(start_argument(state, 3, subject.size()), subject.size() + 1);
  lua_settop(state, 2);
  lua_pushinteger(state, static_cast<lua_Integer>(from));
  lua_pushinteger(state, -1);
  lua_pushcclosure(state, &guarded<next_match>, 4);
  return 1;
}

// Pushes what `%N` of a replacement stands for.
Result<void> push_reference(lua_State* state, const Search& search, const Span& match, char name) {
  if (name == '0') {
    search.push_capture(state, PatternMatcher::kMostCaptures, match);
    return {};
  }
  const auto index = static_cast<std::size_t>(name - '1');
  if (name < '1' || name > '9') return fail(user_error("Invalid use of `%` in a replacement", "Write `%%`"));
  if (index != 0 && index >= search.captures())
    return fail(user_error(cat("Invalid capture index `%", std::string(1, name), "` in a replacement")));
  search.push_capture(state, index, match);
  return {};
}

// What has replaced so far.
class Replacing {
 public:
  explicit Replacing(lua_State* state) : state_(state), longest_(Vm::of(state).limits().text_bytes) {}

  Result<void> add(std::string_view text) {
    TRY(Vm::of(state_).spend(kStepsOfAPiece + text.size() / kBytesPerStep));
    if (text.size() > longest_ - text_.size())
      return fail(user_error(cat("The file needs a text of more than ", human_bytes(longest_)),
                             "Replace in its parts"));
    text_ += text;
    return {};
  }
  const std::string& text() const { return text_; }

  // The replacement is argument 3: a text with references to captures.
  Result<void> add_text(const Search& search, const Span& match) {
    std::string_view replacement = text_argument(state_, 3);
    for (;;) {
      const std::size_t at = std::min(replacement.find('%'), replacement.size());
      TRY(add(replacement.substr(0, at)));
      if (at == replacement.size()) return {};
      const char name = at + 1 < replacement.size() ? replacement[at + 1] : '\0';
      replacement.remove_prefix(std::min(at + 2, replacement.size()));
      if (name == '%') {
        TRY(add("%"));
        continue;
      }
      TRY(push_reference(state_, search, match, name));
      TRY(add(text_argument(state_, -1)));
      lua_pop(state_, 1);
    }
  }

  // A table or a function: what it has for the match, or the match itself.
  Result<void> add_value(const Search& search, const Span& match, std::string_view matched) {
    if (lua_type(state_, 3) == LUA_TTABLE) {
      search.push_capture(state_, 0, match);
      lua_gettable(state_, 3);
    } else {
      lua_pushvalue(state_, 3);
      lua_call(state_, search.push_captures(state_, match), 1);
    }
    if (lua_toboolean(state_, -1) == 0) {
      TRY(add(matched));
    } else if (lua_isstring(state_, -1) != 0) {
      TRY(add(text_argument(state_, -1)));
    } else {
      return fail(user_error(cat("Invalid replacement value (a ", luaL_typename(state_, -1), ")")));
    }
    lua_pop(state_, 1);
    return {};
  }

 private:
  lua_State* state_;
  std::size_t longest_;
  std::string text_;
};

Result<int> replace_text(lua_State* state) {
  const std::string_view subject = text_argument(state, 1);
  std::string_view pattern = text_argument(state, 2);
  const int type = lua_type(state, 3);
  if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TTABLE && type != LUA_TFUNCTION)
    luaL_typeerror(state, 3, "string/function/table");
  const lua_Integer most = luaL_optinteger(state, 4, static_cast<lua_Integer>(subject.size()) + 1);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  TRY(check_pattern(state, pattern));
  Search search(state, subject, pattern);
  Replacing replacing(state);
  std::size_t done = 0;
  std::optional<std::size_t> last_end;
  lua_Integer count = 0;
  while (count < most) {
    TRY_ASSIGN(const std::optional<Span> found, search.find({done, anchored, last_end}));
    if (!found) break;
    ++count;
    TRY(replacing.add(subject.substr(done, found->begin - done)));
    if (type == LUA_TTABLE || type == LUA_TFUNCTION) {
      TRY(replacing.add_value(search, *found, subject.substr(found->begin, found->end - found->begin)));
    } else {
      TRY(replacing.add_text(search, *found));
    }
    done = found->end;
    last_end = done;
    if (anchored) break;
  }
  TRY(replacing.add(subject.substr(done)));
  lua_pushlstring(state, replacing.text().data(), replacing.text().size());
  lua_pushinteger(state, count);
  return 2;
}

}  // namespace

void open_text_search(lua_State* state) {
  const luaL_Reg functions[] = {{"find", &guarded<find_text>},
                                {"match", &guarded<match_text>},
                                {"gmatch", &guarded<all_matches>},
                                {"gsub", &guarded<replace_text>},
                                {nullptr, nullptr}};
  lua_getglobal(state, "string");
  luaL_setfuncs(state, functions, 0);
  lua_pop(state, 1);
}

}  // namespace trainmake
