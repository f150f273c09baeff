// Where values stand, in sources that are written in odd ways.
#include "lua/source_map.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"

namespace trainmake {
namespace {

std::string words(std::string_view source) {
  std::string text;
  for (const Token& token : lex(source)) text += cat(token.line, ":", token.text, " ");
  return text;
}

TEST(Lexer, CutsTokens) {
  EXPECT_EQ(words("a = 1.5e-3 .. 'x\\'y' --c\n[[\nz]] -- [[no\n--[==[ ]]\n]==] b"),
            "1:a 1:= 1:1.5e-3 1:.. 1:x\\'y 2:\nz 5:b 5: ");
  EXPECT_EQ(words("a==b~=c<=d...::e"), "1:a 1:== 1:b 1:~= 1:c 1:<= 1:d 1:... 1::: 1:e 1: ");
  EXPECT_EQ(words("'open"), "1:open 1: ");
  EXPECT_EQ(words("[[open"), "1:open 1: ");
  EXPECT_EQ(words("--[[open"), "1: ");
  EXPECT_EQ(words("'a\\\nb' c"), "1:a\\\nb 2:c 2: ");
}

// The line of the field or item at `path` ("a.b", "a.1") of the declaration on `line`; 0 when the source does
// not show it.
int line_of(std::string_view source, int line, const std::string& path) {
  const SourceMap map(source);
  const TableLines* table = map.declaration(line, "job", "x");
  const ValueLine* value = nullptr;
  for (const std::string& step : split(path, '.')) {
    if (table == nullptr) return 0;
    const bool item = step[0] >= '1' && step[0] <= '9';
    value = item ? table->item(static_cast<std::size_t>(step[0] - '1')) : table->field(step);
    if (value == nullptr) return 0;
    table = value->table.get();
  }
  return value == nullptr ? 0 : value->line;
}

TEST(SourceMap, FindsFieldsAndItems) {
  const struct {
    const char* source;
    const char* path;
    int line;
  } cases[] = {
      {"job 'x' { a = 1,\nb = 2 }", "b", 2},
      {"job 'x' {\n a =\n 1,\n b = 2 }", "a", 2},
      {"job 'x' {\n a = {\n 'p',\n 'q' } }", "a.2", 4},
      {"job 'x' {\n a = { b = {\n c = 1 } } }", "a.b.c", 3},
      {"job 'x' {\n [\"local\"] = 1; ['b'] = {\n 1 } }", "b.1", 3},
      {"job 'x' {\n [\"local\"] = 1 }", "local", 2},
      {"job('x') {\n a = 1 }", "a", 2},
      {"job(f('a', { b = 1 })) {\n a = 1 }", "a", 2},
      {"job [[x]] {\n a = 1 }", "a", 2},
      {"job 'x' { -- { a\n --[[ a = 1,\n]] a = 1 }", "a", 3},
      {"job 'x' { f = function() local a, b = 1, 2 end,\n a = 1 }", "a", 2},
      {"job 'x' { f = function() if y then z, a = 1 elseif q then end repeat until a end,\n a = 1 }", "a", 2},
      {"job 'x' { f = (function() for i = 1, 2 do while a do end end end)(),\n a = 1 }", "a", 2},
      {"job 'x' { y == z,\n a = 1 }", "a", 2},
      {"job 'x' { f { a = 1 },\n a = 2 }", "a", 2},
      {"job 'x' { b = ({\n a = 1 })[1] }", "b.a", 0},
      {"job 'x' { b = { a = 1 } or c }", "b.a", 0},
      {"job 'x' { a = 1,\n\n a = 2 }", "c", 0},
      {"job 'x' (t)", "a", 0},
      {"job 'y' { a = 1 }", "a", 0},
      {"local job = job 'x' {\n a = 1 }", "a", 2},
      {"job 'x' {\n a = 1", "a", 2},
      {"job 'x' {", "a", 0},
      {"job(", "a", 0},
      {"job 'x' { [", "a", 0},
  };
  for (const auto& [source, path, line] : cases) EXPECT_EQ(line_of(source, 1, path), line) << source;
}

TEST(SourceMap, ADeclarationIsFoundByItsLineAndName) {
  const char* source = "job 'y' { a = 1 } job 'x' {\n a = 1 }\n\njob 'x' {\n a = 1 }";
  EXPECT_EQ(line_of(source, 1, "a"), 2);
  EXPECT_EQ(line_of(source, 4, "a"), 5);
  EXPECT_EQ(line_of(source, 3, "a"), 0);
}

TEST(SourceMap, TellsACallThatNobodyMeant) {
  EXPECT_EQ(SourceMap("job 'x' {}\n(f)()").accidental_call(1), 2);
  EXPECT_EQ(SourceMap("local a = b.c:d 'x'\n\n(f)()").accidental_call(1), 3);
  EXPECT_EQ(SourceMap("job 'x' {\n}\n(f)()").accidental_call(1), 3);
  EXPECT_EQ(SourceMap("job 'x' {};\n(f)()").accidental_call(1), std::nullopt);
  EXPECT_EQ(SourceMap("a = 1\nb(f)").accidental_call(1), std::nullopt);
  EXPECT_EQ(SourceMap("a(\n(1))").accidental_call(1), std::nullopt);
}

}  // namespace
}  // namespace trainmake
