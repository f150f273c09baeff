#include "engine/base/lua_pattern.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>
#include <vector>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::ptrdiff_t kOpen = -1;  // sizes of captures that have none
constexpr std::ptrdiff_t kPosition = -2;
constexpr int kDeepest = 200;  // as in Lua
constexpr std::size_t kBytesComparedInAStep = 16;

bool is_repeat(char byte) { return byte == '*' || byte == '+' || byte == '-' || byte == '?'; }

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

bool in_class(char byte, char name) {
  const int c = static_cast<unsigned char>(byte);
  int found = 0;
  switch (std::tolower(static_cast<unsigned char>(name))) {
    case 'a':
      found = std::isalpha(c);
      break;
    case 'c':
      found = std::iscntrl(c);
      break;
    case 'd':
      found = std::isdigit(c);
      break;
    case 'g':
      found = std::isgraph(c);
      break;
    case 'l':
      found = std::islower(c);
      break;
    case 'p':
      found = std::ispunct(c);
      break;
    case 's':
      found = std::isspace(c);
      break;
    case 'u':
      found = std::isupper(c);
      break;
    case 'w':
      found = std::isalnum(c);
      break;
    case 'x':
      found = std::isxdigit(c);
      break;
    case 'z':  // from before Lua 5.2, and still there
      found = byte == '\0' ? 1 : 0;
      break;
    default:
      return name == byte;
  }
  return (found != 0) != (std::isupper(static_cast<unsigned char>(name)) != 0);
}

// The captures of a pattern that is being read: items stand in the order in which they are matched, so what
// is open at one is known without a subject.
class Groups {
 public:
  std::string open() {
    if (closed_.size() == PatternMatcher::kMostCaptures)
      return cat("it has more than ", PatternMatcher::kMostCaptures, " captures");
    open_.push_back(closed_.size());
    closed_.push_back(false);
    return {};
  }
  std::string close() {
    if (open_.empty()) return "`)` closes nothing";
    closed_[open_.back()] = true;
    open_.pop_back();
    return {};
  }
  std::string refer(char digit) const {
    const auto index = static_cast<std::size_t>(digit - '1');  // %0 is none
    return index < closed_.size() && closed_[index] ? std::string()
                                                    : cat("`%", digit, "` is no capture before it");
  }
  std::string finish() const { return open_.empty() ? "" : "`(` is not closed"; }

 private:
  std::vector<std::size_t> open_;
  std::vector<bool> closed_;
};

// Reads the item after `%` at `i`, and leaves `i` at its end.
std::string mistake_in_escape(std::string_view text, std::size_t& i, const Groups& groups) {
  if (++i == text.size()) return "it ends with `%`";
  const char letter = text[i];
  if (letter == 'b') return (i += 2) >= text.size() ? "`%b` needs two characters" : "";
  if (letter == 'f' && !text.substr(i + 1).starts_with('[')) return "`%f` needs a set, as `%f[%d]`";
  return is_digit(letter) ? groups.refer(letter) : std::string();
}

std::string mistake_in_set(std::string_view text, std::size_t& i) {
  if (++i < text.size() && text[i] == '^') ++i;
  // A `]` that comes first stands for itself.
  for (bool first = true; i < text.size() && (first || text[i] != ']'); ++i, first = false)
    i += text[i] == '%' ? 1 : 0;
  return i >= text.size() ? "`[` is not closed" : "";
}

// Empty when it is well formed.
std::string mistake_in(std::string_view text) {
  if (text.find_first_of("%[()") == std::string_view::npos) return {};
  Groups groups;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string mistake;
    if (text[i] == '(') mistake = groups.open();
    if (text[i] == ')') mistake = groups.close();
    if (text[i] == '%') {
      mistake = mistake_in_escape(text, i, groups);
    } else if (text[i] == '[') {
      mistake = mistake_in_set(text, i);
    }
    if (!mistake.empty()) return mistake;
  }
  return groups.finish();
}

}  // namespace

Result<void> check_lua_pattern(std::string_view pattern) {
  const std::string mistake = mistake_in(pattern);
  if (mistake.empty()) return {};
  return fail(user_error(cat("Lua pattern ", quoted(pattern), " is malformed: ", mistake),
                         "Write a literal `%`, `(`, `)` or `[` as `%%`, `%(`, `%)` or `%[`"));
}

bool PatternMatcher::Capture::is_position() const { return size == kPosition; }

std::optional<PatternMatcher::Span> PatternMatcher::find(const Start& start, std::uint64_t& steps) {
  steps_ = steps;
  std::optional<Span> found;
  for (std::size_t at = start.from; at <= subject_.size() && step() && !found; ++at) {
    const std::optional<std::size_t> last = match_at(at);
    if (last && last != start.last_end) found = Span{at, *last};
    if (start.anchored) break;
  }
  steps = too_complex_ ? steps_left_ : steps_;
  if (steps_ == 0) return std::nullopt;
  return found;
}

std::optional<std::size_t> PatternMatcher::match_at(std::size_t at) {
  level_ = 0;
  depth_ = 0;
  const char* last = match(begin() + at, pattern_.data());
  if (last == nullptr) return std::nullopt;
  return static_cast<std::size_t>(last - begin());
}

// Once it is false, nothing matches any more.
bool PatternMatcher::step(std::size_t count) {
  steps_ -= std::min<std::uint64_t>(count, steps_);
  return steps_ != 0;
}

// The end of what matches all items from `item` on, or nullptr.
const char* PatternMatcher::match(const char* at, const char* item) {
  if (++depth_ > kDeepest) {
    if (!too_complex_) steps_left_ = steps_;
    too_complex_ = true;
    steps_ = 0;
  }
  while (at != nullptr && item != pattern_end()) {
    if (!step()) {
      at = nullptr;
      break;
    }
    const char next = item + 1 == pattern_end() ? '\0' : item[1];
    if (*item == '(') {
      at = next == ')' ? open_capture(at, item + 2, kPosition) : open_capture(at, item + 1, kOpen);
      break;
    }
    if (*item == ')') {
      at = close_capture(at, item + 1);
      break;
    }
    if (*item == '$' && item + 1 == pattern_end()) {
      if (at != end()) at = nullptr;
      break;
    }
    if (*item == '%' && next == 'b') {
      at = match_balanced(at, item[2], item[3]);
      item += 4;
    } else if (*item == '%' && next == 'f') {
      const char* after = after_single(item + 2);
      if (!at_frontier(at, item + 2, after)) at = nullptr;
      item = after;
    } else if (*item == '%' && is_digit(next)) {
      at = match_again(at, next);
      item += 2;
    } else {
      const char* after = after_single(item);
      if (after == pattern_end() || !is_repeat(*after)) {
        at = is_single(at, item, after) ? at + 1 : nullptr;
        item = after;
      } else {
        at = match_single(at, item, after);
        break;
      }
    }
  }
  --depth_;
  return at;
}

// An item with a repeat at `after`, and all that follows.
const char* PatternMatcher::match_single(const char* at, const char* item, const char* after) {
  switch (*after) {
    case '*':
      return match_longest(at, item, after);
    case '+':
      return is_single(at, item, after) ? match_longest(at + 1, item, after) : nullptr;
    case '-':
      return match_shortest(at, item, after);
    default:
      if (is_single(at, item, after)) {
        if (const char* last = match(at + 1, after + 1)) return last;
      }
      return match(at, after + 1);
  }
}

const char* PatternMatcher::match_longest(const char* at, const char* item, const char* after) {
  std::ptrdiff_t count = 0;
  while (step() && is_single(at + count, item, after)) ++count;
  for (; count >= 0 && steps_ != 0; --count) {
    if (const char* last = match(at + count, after + 1)) return last;
  }
  return nullptr;
}

const char* PatternMatcher::match_shortest(const char* at, const char* item, const char* after) {
  for (; step(); ++at) {
    if (const char* last = match(at, after + 1)) return last;
    if (!is_single(at, item, after)) break;
  }
  return nullptr;
}

const char* PatternMatcher::match_balanced(const char* at, char open, char close) {
  if (at == end() || *at != open) return nullptr;
  int depth = 1;
  while (++at != end() && step()) {
    if (*at == close) {
      if (--depth == 0) return at + 1;
    } else if (*at == open) {
      ++depth;
    }
  }
  return nullptr;
}

// %1: what a capture holds, once more.
const char* PatternMatcher::match_again(const char* at, char index) {
  const Capture& capture = captures_[static_cast<std::size_t>(index - '1')];
  // Of a position, Lua compares a size that nothing has.
  if (capture.is_position() || end() - at < capture.size) return nullptr;
  const auto size = static_cast<std::size_t>(capture.size);
  if (!step(size / kBytesComparedInAStep)) return nullptr;
  return std::memcmp(capture.begin, at, size) == 0 ? at + size : nullptr;
}

const char* PatternMatcher::open_capture(const char* at, const char* item, std::ptrdiff_t size) {
  captures_[level_++] = {at, size};
  const char* last = match(at, item);
  if (last == nullptr) --level_;
  return last;
}

const char* PatternMatcher::close_capture(const char* at, const char* item) {
  std::size_t open = level_ - 1;
  while (captures_[open].size != kOpen) --open;
  captures_[open].size = at - captures_[open].begin;
  const char* last = match(at, item);
  if (last == nullptr) captures_[open].size = kOpen;
  return last;
}

bool PatternMatcher::at_frontier(const char* at, const char* set, const char* after) {
  const char before = at == begin() ? '\0' : at[-1];
  const char here = at == end() ? '\0' : *at;
  return !in_set(before, set, after - 1) && in_set(here, set, after - 1);
}

// The end of the item that stands for one byte.
const char* PatternMatcher::after_single(const char* item) const {
  if (*item == '%') return item + 2;
  if (*item != '[') return item + 1;
  ++item;
  if (*item == '^') ++item;
  do {
    item += *item == '%' ? 2 : 1;
  } while (*item != ']');
  return item + 1;
}

bool PatternMatcher::is_single(const char* at, const char* item, const char* after) {
  if (at == end()) return false;
  if (*item == '.') return true;
  if (*item == '%') return in_class(*at, item[1]);
  if (*item == '[') return in_set(*at, item, after - 1);
  return *item == *at;
}

// `set` is at its `[`, `last` at its `]`.
bool PatternMatcher::in_set(char byte, const char* set, const char* last) {
  const bool wanted = set[1] != '^';
  const auto value = static_cast<unsigned char>(byte);
  for (const char* at = set + (wanted ? 1 : 2); at < last && step(); ++at) {
    if (*at == '%') {
      if (in_class(byte, *++at)) return wanted;
    } else if (at[1] == '-' && at + 2 < last) {
      if (static_cast<unsigned char>(*at) <= value && value <= static_cast<unsigned char>(at[2]))
        return wanted;
      at += 2;
    } else if (*at == byte) {
      return wanted;
    }
  }
  return !wanted;
}

Result<LuaPattern> LuaPattern::parse(std::string text) {
  TRY(check_lua_pattern(text));
  return LuaPattern(std::move(text));
}

LuaPattern::Found LuaPattern::match(std::string_view subject, std::size_t from, std::uint64_t& steps) const {
  const bool anchored = text_.starts_with('^');
  if (from > subject.size() || (anchored && from > 0)) return {};
  PatternMatcher matcher(subject, std::string_view(text_).substr(anchored ? 1 : 0));
  const auto match = matcher.find({from, anchored}, steps);
  if (steps == 0) return {{}, true};
  if (!match) return {};
  PatternMatcher::Span span = *match;
  if (matcher.captures() > 0) {
    const PatternMatcher::Capture& first = matcher.capture(0);
    span.begin = static_cast<std::size_t>(first.begin - subject.data());
    if (first.is_position()) return {std::to_string(span.begin + 1), false, {}, match->end};
    span.end = span.begin + first.text().size();
  }
  return {std::string(subject.substr(span.begin, span.end - span.begin)), false, span, match->end};
}

}  // namespace trainmake
