#include "engine/base/shell_words.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using Words = std::vector<std::string>;

Words words_of(std::string_view text, const ShellReading& reading = {}) {
  const auto words = shell_words(text, reading);
  return words ? *words : Words{cat("refused: ", words.error().message)};
}

bool is_refused(std::string_view text) {
  const auto words = shell_words(text);
  return !words && words.error().message.find("secret") == std::string::npos;
}

TEST(ShellWords, AreWhatStandsBetweenBlanks) {
  EXPECT_EQ(words_of(""), Words{});
  EXPECT_EQ(words_of("  a\tb \n c "), (Words{"a", "b", "c"}));
}

TEST(ShellWords, QuotationMarksHoldAWordTogether) {
  EXPECT_EQ(words_of("--name='a  b' \"c d\"e ''"), (Words{"--name=a  b", "c de", ""}));
  EXPECT_EQ(words_of(R"('$HOME;`x`' "a\"b\\c\d")"), (Words{"$HOME;`x`", R"(a"b\c\d)"}));
}

TEST(ShellWords, ABackslashTakesWhatFollowsAsItIs) {
  EXPECT_EQ(words_of(R"(a\ b \$c \'d)"), (Words{"a b", "$c", "'d"}));
  EXPECT_EQ(words_of("pack \\\n--code=x"), (Words{"pack", "--code=x"}));
}

TEST(ShellWords, WhatAShellWouldDoMoreOfIsRefusedAndNotShown) {
  for (const char* text : {"secret 'a", "secret \"a", "secret $X", "secret \"$X\"", "secret; a", "secret | a",
                           "secret > a", "secret *", "secret ~/a", "secret # a", "secret `a`", "secret \\"})
    EXPECT_TRUE(is_refused(text)) << text;
  EXPECT_EQ(words_of("a#b a~b a=b"), (Words{"a#b", "a~b", "a=b"}));
}

TEST(ShellWords, PatternsStayAsTheyAreWhereWhoeverReadsItWants) {
  const ShellReading reading{.keeps_patterns = true};
  EXPECT_EQ(words_of("--in=/train-?-of-00256 *.txt [ab]", reading),
            (Words{"--in=/train-?-of-00256", "*.txt", "[ab]"}));
  for (const char* text : {"a;b", "$x", "`a`", "a|b", "a&", "<in", "a>b", "<KEY>"})
    EXPECT_FALSE(shell_words(text, reading)) << text;
  const auto refused = shell_words("a ; b", reading);
  EXPECT_NE(refused.error().message.find("`;`"), std::string::npos);
  EXPECT_EQ(refused.error().hint, "Write `';'` where it means itself");
}

TEST(ShellWords, ABlankToFillInIsAWordWhereWhoeverReadsItWants) {
  const ShellReading reading{.keeps_blanks_to_fill = true};
  EXPECT_EQ(words_of("--public_key=<YOUR_PUB_KEY> <A-b>", reading),
            (Words{"--public_key=<YOUR_PUB_KEY>", "<A-b>"}));
  for (const char* text : {"<", "<a b>", "<>", "<in >out", "a>"})
    EXPECT_FALSE(shell_words(text, reading)) << text;
}

TEST(ShellWords, VariablesAreWhoeverReadsItKnows) {
  const ShellReading reading{[](std::string_view expression) -> std::optional<std::string> {
                               if (expression == "no") return std::nullopt;
                               return cat("<", expression, ">");
                             },
                             true};
  EXPECT_EQ(words_of("x=$a_1-b \"${a/_/-} c\" '$a' # more", reading),
            (Words{"x=<a_1>-b", "<a/_/-> c", "$a"}));
  EXPECT_FALSE(shell_words("$no", reading));
  EXPECT_FALSE(shell_words("${a", reading));
  EXPECT_FALSE(shell_words("$", reading));
}

TEST(ShellWords, ATextMayHaveSeveralCommands) {
  EXPECT_EQ(shell_commands("a 'b;c' && d \"e && f\"; g\\;h\ni\n  --j \\\n k\n"),
            (Words{"a 'b;c' ", " d \"e && f\"", " g\\;h", "i\n  --j \\\n k"}));
  EXPECT_EQ(shell_commands(" \n;"), Words{});
}

TEST(ShellLine, IsReadBackAsTheVeryWords) {
  EXPECT_EQ(shell_line(Words{"-u", "/data/a.py", "--x=1"}), "-u /data/a.py --x=1");
  const Words words = {"", "a b", "it's", "\t", "\n", "\xff\x01", "$HOME `x` \"\\", "*", "#", "~"};
  EXPECT_EQ(words_of(shell_line(words)), words);
}

}  // namespace
}  // namespace trainmake
