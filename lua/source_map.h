// Where the values of a declaration stand in the source: Lua tells the line of a declaration, this tells
// those of the fields and items written in its braces. Only what can be seen is told; a table made elsewhere
// has no lines. Built once per file, when the first line is asked for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lua/lexer.h"

namespace trainmake {

struct TableLines;

struct ValueLine {
  int line = 0;                       // of `name =`, or of an item's first token
  std::unique_ptr<TableLines> table;  // when the value is a table written out
};

struct TableLines {
  std::vector<ValueLine> items;
  std::vector<std::pair<std::string_view, ValueLine>> fields;  // sorted by name

  const ValueLine* field(std::string_view name) const;
  const ValueLine* item(std::size_t index) const;  // from 0
};

class SourceMap {
 public:
  // Keeps views into `source`.
  explicit SourceMap(std::string_view source);
  // The braces of `kind "name" { ... }` or `kind(...) { ... }` on `line`; nullptr when they are not there.
  const TableLines* declaration(int line, std::string_view kind, std::string_view name) const;
  // Lua reads a line that starts with `(` as a call of what stands before it. That line, when what `line`
  // ends with is called so.
  std::optional<int> accidental_call(int line) const;

 private:
  struct Site {
    int line = 0;
    std::string_view kind;
    std::optional<std::string_view> name;  // when it is a plain string
    TableLines table;
  };

  std::size_t first_of(int line) const;

  std::vector<Token> tokens_;
  std::vector<Site> sites_;  // sorted by line
};

}  // namespace trainmake
