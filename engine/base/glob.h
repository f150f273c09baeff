// Path patterns: `**`, `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, and `\` before any of them. `*` and `?` never
// match
// `/`; `**` is whole path segments, none included; dotfiles match like any other name. Names are bytes, so
// `?` is one byte. Pure: knows no files.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace trainmake {

class PathPattern {
 public:
  // Refuses an absolute pattern, one that climbs (`..`), an empty one, unclosed brackets or braces, and one
  // too large: longer than any escaped path, or of too many braces or alternatives.
  static Result<PathPattern> parse(std::string_view text);
  bool matches(std::string_view path) const;
  // Whether something below `folder` could match, so that a walk need not enter where nothing can.
  bool may_match_below(std::string_view folder) const;
  bool is_literal() const;          // no wildcard: names exactly one path
  const std::string& path() const;  // that path, its `\` taken away; REQUIRES is_literal()
  const std::string& root() const;  // the longest folder that all matches share; "" is the project's own
  const std::string& text() const;

 private:
  struct Segment;
  std::string text_;
  std::string root_;
  std::string path_;
  bool literal_ = false;
  std::vector<std::vector<Segment>> alternatives_;  // braces expanded

 public:
  PathPattern();
  ~PathPattern();
  PathPattern(const PathPattern&);
  PathPattern(PathPattern&&) noexcept;
  PathPattern& operator=(const PathPattern&);
  PathPattern& operator=(PathPattern&&) noexcept;
};

}  // namespace trainmake
