// Braces are expanded first, as in a shell; each alternative is then a row of segments. A row is matched by
// remembering only the last `**` (and within a name the last `*`): what an earlier one could take, the last
// can take too, so time is bounded.
#include "engine/base/glob.h"

#include <algorithm>
#include <bitset>

#include "engine/base/text.h"

namespace trainmake {

namespace {

constexpr std::size_t kLongest = 2 * 4096;  // PATH_MAX, each byte of it escaped
constexpr std::size_t kShown = 60;          // of one that is longer
constexpr std::size_t kMostBraces = 100;
constexpr std::size_t kMostAlternatives = 1000;

// A place in a name: one byte out of a set, or `*`.
struct Piece {
  bool star = false;
  std::bitset<256> bytes;
};

std::size_t index_of(char c) { return static_cast<unsigned char>(c); }

Error pattern_error(std::string_view text, std::string_view problem, std::string hint = {}) {
  return user_error(cat("Pattern ", quoted(text), ' ', problem), std::move(hint));
}

// Where the bracket that opens at `open` closes; npos when it does not. A `]` right after the opening is a
// member.
std::size_t bracket_end(std::string_view text, std::size_t open) {
  std::size_t i = open + 1;
  if (i < text.size() && text[i] == '!') ++i;
  for (bool first = true; i < text.size(); ++i, first = false) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == ']' && !first) {
      return i;
    }
  }
  return text.npos;
}

// The end of whatever starts at `i`, braces aside: an escaped byte, a bracket, or one byte.
std::size_t token_end(std::string_view text, std::size_t i) {
  if (text[i] == '\\') return std::min(i + 2, text.size());
  if (text[i] == '[') {
    const std::size_t end = bracket_end(text, i);
    return end == text.npos ? text.size() : end + 1;
  }
  return i + 1;
}

struct Braces {
  std::size_t open = 0;
  std::size_t close = 0;
  std::vector<std::string_view> choices;
};

// The first outermost pair; an empty optional when there is none.
Result<std::optional<Braces>> find_braces(std::string_view text, std::string_view whole) {
  Braces found;
  std::size_t depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); i = token_end(text, i)) {
    if (text[i] == '{' && depth++ == 0) {
      found.open = i;
      begin = i + 1;
    } else if (depth == 0 || (text[i] != '}' && (text[i] != ',' || depth > 1))) {
      continue;
    } else if (text[i] == ',' || depth == 1) {
      found.choices.push_back(text.substr(begin, i - begin));
      begin = i + 1;
      found.close = i;
      if (text[i] == '}') return std::optional(std::move(found));
    } else {
      --depth;
    }
  }
  if (depth > 0)
    return fail(pattern_error(whole, "has a `{` that is not closed", "Write `\\{` for the character itself"));
  return std::nullopt;
}

// What expanding the braces may cost is bounded before it begins: it goes one call deeper for each pair.
Result<void> check_size(std::string_view text) {
  if (text.size() > kLongest) {
    return fail(
        pattern_error(cat(text.substr(0, kShown), "..."), cat("is longer than ", kLongest, " bytes")));
  }
  std::size_t braces = 0;
  for (std::size_t i = 0; i < text.size(); i = token_end(text, i)) {
    if (text[i] == '{') ++braces;
  }
  if (braces > kMostBraces) return fail(pattern_error(text, cat("has more than ", kMostBraces, " braces")));
  return {};
}

Result<void> expand_braces(const std::string& text, std::string_view whole, std::vector<std::string>& into) {
  TRY_ASSIGN(const auto braces, find_braces(text, whole));
  if (!braces) {
    if (into.size() == kMostAlternatives) {
      return fail(pattern_error(whole, cat("has more than ", kMostAlternatives, " alternatives in braces")));
    }
    into.push_back(text);
    return {};
  }
  const std::string_view view = text;
  for (const std::string_view choice : braces->choices) {
    TRY(expand_braces(cat(view.substr(0, braces->open), choice, view.substr(braces->close + 1)), whole,
                      into));
  }
  return {};
}

// What stands between the brackets. `bracket` includes them.
Result<std::bitset<256>> parse_bracket(std::string_view bracket, std::string_view whole) {
  std::bitset<256> set;
  std::string_view inside = bracket.substr(1, bracket.size() - 2);
  const bool negated = inside.starts_with('!');
  if (negated) inside.remove_prefix(1);
  const auto take = [&inside] {
    if (inside.front() == '\\' && inside.size() > 1) inside.remove_prefix(1);
    const char c = inside.front();
    inside.remove_prefix(1);
    return c;
  };
  while (!inside.empty()) {
    const std::size_t first = index_of(take());
    std::size_t last = first;
    if (inside.size() > 1 && inside.front() == '-') {
      inside.remove_prefix(1);
      last = index_of(take());
    }
    if (first > last)
      return fail(
          pattern_error(whole, cat("has the range ", quoted(bracket), " that ends before it starts")));
    for (std::size_t c = first; c <= last; ++c) set.set(c);
  }
  return negated ? ~set : set;
}

}  // namespace

// One name of the path. Most are plain, or `*` followed by an ending; those need no pieces to be gone
// through.
struct PathPattern::Segment {
  bool deep = false;  // `**`
  bool plain = true;  // `name` is all of it
  std::string name;   // unescaped; meaningless when not plain
  std::vector<Piece> pieces;

  static Result<Segment> parse(std::string_view text, std::string_view whole);
  bool matches(std::string_view other) const;
  static bool match_row(const std::vector<Segment>& row, std::string_view path);
  static bool may_lead_on(const std::vector<Segment>& row, std::string_view folder);
  static Result<std::vector<Segment>> parse_row(std::string_view text, std::string_view whole);
};

Result<PathPattern::Segment> PathPattern::Segment::parse(std::string_view text, std::string_view whole) {
  Segment segment;
  segment.deep = text == "**";
  segment.plain = !segment.deep;
  for (std::size_t i = 0; i < text.size(); i = token_end(text, i)) {
    Piece piece;
    char c = text[i];
    if (c == '*') {
      segment.plain = false;
      if (!segment.pieces.empty() && segment.pieces.back().star) continue;
      piece.star = true;
    } else if (c == '?') {
      segment.plain = false;
      piece.bytes.set();
    } else if (c == '[') {
      segment.plain = false;
      TRY_ASSIGN(piece.bytes, parse_bracket(text.substr(i, token_end(text, i) - i), whole));
    } else {
      if (c == '\\') c = text[i + 1];
      piece.bytes.set(index_of(c));
      segment.name += c;
    }
    segment.pieces.push_back(piece);
  }
  return segment;
}

bool PathPattern::Segment::matches(std::string_view other) const {
  if (plain) return name == other;
  std::size_t piece = 0;
  std::size_t at = 0;
  std::size_t star = pieces.size();  // the last `*` met, and up to where it takes
  std::size_t taken = 0;
  while (at < other.size()) {
    if (piece < pieces.size() && pieces[piece].star) {
      star = piece++;
      taken = at;
    } else if (piece < pieces.size() && pieces[piece].bytes.test(index_of(other[at]))) {
      ++piece;
      ++at;
    } else if (star < pieces.size()) {
      piece = star + 1;
      at = ++taken;
    } else {
      return false;
    }
  }
  while (piece < pieces.size() && pieces[piece].star) ++piece;
  return piece == pieces.size();
}

namespace {

// The path's first name, and where the rest starts (past the end when there is none).
std::string_view name_at(std::string_view path, std::size_t begin, std::size_t& next) {
  const std::size_t end = std::min(path.find('/', begin), path.size());
  next = end + 1;
  return path.substr(begin, end - begin);
}

}  // namespace

bool PathPattern::Segment::match_row(const std::vector<Segment>& row, std::string_view path) {
  std::size_t index = 0;
  std::size_t at = 0;
  std::size_t deep = row.size();  // the last `**` met, and up to where it takes
  std::size_t taken = 0;
  const std::size_t end = path.empty() ? 0 : path.size() + 1;
  while (at < end) {
    std::size_t next = 0;
    const std::string_view name = name_at(path, at, next);
    if (index < row.size() && row[index].deep) {
      deep = index++;
      taken = at;
    } else if (index < row.size() && row[index].matches(name)) {
      ++index;
      at = next;
    } else if (deep < row.size()) {
      index = deep + 1;
      name_at(path, taken, taken);
      at = taken;
    } else {
      return false;
    }
  }
  while (index < row.size() && row[index].deep) ++index;
  return index == row.size();
}

bool PathPattern::Segment::may_lead_on(const std::vector<Segment>& row, std::string_view folder) {
  std::size_t index = 0;
  const std::size_t end = folder.empty() ? 0 : folder.size() + 1;
  for (std::size_t at = 0; at < end; ++index) {
    if (index == row.size()) return false;
    if (row[index].deep) return true;
    if (!row[index].matches(name_at(folder, at, at))) return false;
  }
  return index < row.size();
}

Result<std::vector<PathPattern::Segment>> PathPattern::Segment::parse_row(std::string_view text,
                                                                          std::string_view whole) {
  std::vector<Segment> row;
  if (text.starts_with('/'))
    return fail(pattern_error(whole, "is absolute", "Patterns are from the project's folder"));
  std::size_t begin = 0;
  const auto end_segment = [&](std::size_t end) -> Result<void> {
    const std::string_view part = text.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") return {};
    TRY_ASSIGN(Segment segment, parse(part, whole));
    if (segment.plain && segment.name == "..") {
      return fail(pattern_error(whole, "leads out of its folder with `..`",
                                "Patterns are from the project's folder"));
    }
    if (!segment.deep || row.empty() || !row.back().deep) row.push_back(std::move(segment));
    return {};
  };
  for (std::size_t i = 0; i < text.size(); i = token_end(text, i)) {
    if (text[i] == '\\' && i + 1 == text.size()) return fail(pattern_error(whole, "ends in `\\`"));
    if (text[i] == '[') {
      const std::size_t end = bracket_end(text, i);
      if (end == text.npos)
        return fail(
            pattern_error(whole, "has a `[` that is not closed", "Write `\\[` for the character itself"));
      if (text.substr(i, end - i).find('/') != text.npos)
        return fail(pattern_error(whole, "has a `/` in brackets"));
    } else if (text[i] == '/') {
      TRY(end_segment(i));
    }
  }
  TRY(end_segment(text.size()));
  if (row.empty()) return fail(pattern_error(whole, "names no file", "Write `**` for every file"));
  return row;
}

Result<PathPattern> PathPattern::parse(std::string_view text) {
  PathPattern pattern;
  pattern.text_ = text;
  TRY(check_size(text));
  std::vector<std::string> expanded;
  TRY(expand_braces(pattern.text_, text, expanded));
  for (const std::string& alternative : expanded) {
    TRY_ASSIGN(auto row, Segment::parse_row(alternative, text));
    pattern.alternatives_.push_back(std::move(row));
  }
  // The leading plain names that all alternatives share; the last name of each is the file's.
  const std::vector<Segment>& first = pattern.alternatives_.front();
  std::size_t shared = 0;
  const auto shares = [&](const std::vector<Segment>& row) {
    return shared + 1 < row.size() && row[shared].plain && row[shared].name == first[shared].name;
  };
  while (std::all_of(pattern.alternatives_.begin(), pattern.alternatives_.end(), shares)) {
    pattern.root_ += cat(shared == 0 ? "" : "/", first[shared].name);
    ++shared;
  }
  pattern.literal_ = pattern.alternatives_.size() == 1 && shared + 1 == first.size() && first.back().plain;
  if (pattern.literal_) pattern.path_ = cat(pattern.root_, shared == 0 ? "" : "/", first.back().name);
  return pattern;
}

bool PathPattern::matches(std::string_view path) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [&](const auto& row) { return Segment::match_row(row, path); });
}

bool PathPattern::may_match_below(std::string_view folder) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [&](const auto& row) { return Segment::may_lead_on(row, folder); });
}

bool PathPattern::is_literal() const { return literal_; }
const std::string& PathPattern::path() const { return path_; }
const std::string& PathPattern::root() const { return root_; }
const std::string& PathPattern::text() const { return text_; }

PathPattern::PathPattern() = default;
PathPattern::~PathPattern() = default;
PathPattern::PathPattern(const PathPattern&) = default;
PathPattern::PathPattern(PathPattern&&) noexcept = default;
PathPattern& PathPattern::operator=(const PathPattern&) = default;
PathPattern& PathPattern::operator=(PathPattern&&) noexcept = default;

}  // namespace trainmake
