// Lua patterns, matched with a budget of steps: Lua's own matcher cannot be stopped, and patterns of a
// TRAINFILE meet whatever a job's log holds. Matches what string.match of Lua 5.4 does; what that would call
// malformed once it got there is told at once. Knows no TRAINFILE and no interpreter.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace trainmake {

// A user error for what is no pattern.
Result<void> check_lua_pattern(std::string_view pattern);

class PatternMatcher {
 public:
  static constexpr std::size_t kMostCaptures = 32;  // as in Lua
  struct Capture {
    const char* begin = nullptr;
    std::ptrdiff_t size = 0;

    bool is_position() const;  // of `()`
    std::string_view text() const { return {begin, static_cast<std::size_t>(size)}; }
  };

  struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  struct Start {
    std::size_t from = 0;
    bool anchored = false;                     // there alone
    std::optional<std::size_t> last_end = {};  // where no match may end: one is not found twice
  };

  // Borrows both. REQUIRES: check_lua_pattern(pattern). A `^` in front is no anchor here.
  PatternMatcher(std::string_view subject, std::string_view pattern) : subject_(subject), pattern_(pattern) {}

  // The first match; empty when there is none, and when `steps` came to 0, from which every byte looked at
  // takes one, or when the pattern nests too deep. `steps` is then what is left.
  std::optional<Span> find(const Start& start, std::uint64_t& steps);
  bool too_complex() const { return too_complex_; }

  // Of the last match.
  std::size_t captures() const { return level_; }
  const Capture& capture(std::size_t index) const { return captures_[index]; }

 private:
  std::optional<std::size_t> match_at(std::size_t at);
  const char* match(const char* at, const char* item);
  const char* match_single(const char* at, const char* item, const char* after);
  const char* match_longest(const char* at, const char* item, const char* after);
  const char* match_shortest(const char* at, const char* item, const char* after);
  const char* match_balanced(const char* at, char open, char close);
  const char* match_again(const char* at, char index);
  const char* open_capture(const char* at, const char* item, std::ptrdiff_t size);
  const char* close_capture(const char* at, const char* item);
  bool at_frontier(const char* at, const char* set, const char* after);
  const char* after_single(const char* item) const;
  bool is_single(const char* at, const char* item, const char* after);
  bool in_set(char byte, const char* set, const char* last);
  bool step(std::size_t count = 1);

  const char* begin() const { return subject_.data(); }
  const char* end() const { return subject_.data() + subject_.size(); }
  const char* pattern_end() const { return pattern_.data() + pattern_.size(); }

  std::string_view subject_;
  std::string_view pattern_;
  std::array<Capture, kMostCaptures> captures_;
  std::size_t level_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_left_ = 0;  // when it became too complex, for which steps_ is 0
  int depth_ = 0;
  bool too_complex_ = false;
};

// A pattern that is kept.
class LuaPattern {
 public:
  struct Found {
    std::optional<std::string> text = {};         // the first capture of the match, or all of it
    bool gave_up = false;                         // the match would have taken too many steps
    std::optional<PatternMatcher::Span> at = {};  // where the text stands in the subject; not that of `()`
    std::size_t end = 0;                          // of the match
  };
  static constexpr std::uint64_t kSteps = 200'000;  // a millisecond

  static Result<LuaPattern> parse(std::string text);
  // The first match at `from` or later; takes from `steps`.
  Found match(std::string_view subject, std::size_t from, std::uint64_t& steps) const;
  Found match(std::string_view subject) const {
    std::uint64_t steps = kSteps;
    return match(subject, 0, steps);
  }
  const std::string& text() const { return text_; }

 private:
  explicit LuaPattern(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace trainmake
