#include "engine/base/glob.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

PathPattern pattern(std::string_view text) {
  auto parsed = PathPattern::parse(text);
  CHECK(parsed.has_value());
  return std::move(*parsed);
}

bool matches(std::string_view text, std::string_view path) { return pattern(text).matches(path); }

TEST(Glob, StarStaysInOneName) {
  EXPECT_TRUE(matches("*.py", "a.py"));
  EXPECT_TRUE(matches("*", ".hidden"));
  EXPECT_TRUE(matches("a*b*c", "aXbbYc"));
  EXPECT_FALSE(matches("*.py", "d/a.py"));
  EXPECT_FALSE(matches("d/*", "d/e/f"));
}

TEST(Glob, DoubleStarMatchesNoSegmentsToo) {
  EXPECT_TRUE(matches("**/a", "a"));
  EXPECT_TRUE(matches("**/a", "x/y/a"));
  EXPECT_TRUE(matches("x/**/a", "x/a"));
  EXPECT_TRUE(matches("x/**", "x/y/z"));
  EXPECT_TRUE(matches("a/**/b/**/c", "a/b/x/b/y/c"));
  EXPECT_FALSE(matches("x/**/a", "xa"));
}

TEST(Glob, DoubleStarWithinANameIsAStar) {
  EXPECT_TRUE(matches("a**b", "axxb"));
  EXPECT_FALSE(matches("a**b", "a/b"));
}

TEST(Glob, QuestionMarkIsOneByte) {
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_FALSE(matches("a?c", "a/c"));
}

TEST(Glob, BracketsAreOneByteOutOfASet) {
  EXPECT_TRUE(matches("[a-c]x", "bx"));
  EXPECT_FALSE(matches("[a-c]x", "dx"));
  EXPECT_TRUE(matches("[!a-c]", "d"));
  EXPECT_FALSE(matches("[!a-c]", "a"));
  EXPECT_TRUE(matches("[]a]", "]")) << "right after the opening it is a member";
  EXPECT_TRUE(matches("[a-]", "-"));
  EXPECT_TRUE(matches("[\\]x]", "]"));
  EXPECT_TRUE(matches("[{,}]", ","));
}

TEST(Glob, BracesAreAlternativesAndNest) {
  EXPECT_TRUE(matches("a.{txt,md}", "a.md"));
  EXPECT_TRUE(matches("{a,b/{c,d}}/x", "b/d/x"));
  EXPECT_TRUE(matches("a{,b}", "a"));
  EXPECT_TRUE(matches("{**,x}/y", "p/q/y"));
  EXPECT_FALSE(matches("a.{txt,md}", "a.txt,md"));
}

TEST(Glob, BackslashTakesTheMagicAway) {
  EXPECT_TRUE(matches("a\\*", "a*"));
  EXPECT_FALSE(matches("a\\*", "ab"));
  EXPECT_TRUE(matches("\\{a,b\\}", "{a,b}"));
  EXPECT_TRUE(matches("{a\\,b,c}", "a,b"));
}

TEST(Glob, NamesAreBytes) {
  EXPECT_TRUE(matches("*", "\xff\n\xfe"));
  EXPECT_TRUE(matches("[\x80-\xff]*", "\xff\n"));
}

TEST(Glob, EmptyAndDotSegmentsVanish) {
  EXPECT_TRUE(matches("./a//b", "a/b"));
  EXPECT_TRUE(matches("a/", "a"));
}

TEST(Glob, RefusesWhatCanMatchNothingOrLeadsOut) {
  for (const char* text : {"", ".", "/a", "../a", "a/..", "{a,/b}", "{a,}", "[a", "a/[", "{a", "{a,{b}",
                           "a\\", "[z-a]", "[a/b]", "[]"}) {
    EXPECT_FALSE(PathPattern::parse(text).has_value()) << text;
  }
}

TEST(Glob, ErrorsQuoteThePattern) {
  EXPECT_EQ(PathPattern::parse("a[b").error().message, "Pattern `a[b` has a `[` that is not closed");
  EXPECT_EQ(PathPattern::parse("/a").error().message, "Pattern `/a` is absolute");
}

TEST(Glob, TooManyAlternativesAreRefused) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "{a,b}";
  EXPECT_FALSE(PathPattern::parse(text).has_value());
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Glob, TooManyBracesAreRefusedHoweverTheyStand) {
  for (const std::size_t times : {101UL, 1000UL, 100'000UL}) {
    EXPECT_FALSE(PathPattern::parse(repeated("{", times) + repeated("}", times)).has_value());
    EXPECT_FALSE(PathPattern::parse(repeated("{a}", times)).has_value());
    EXPECT_FALSE(PathPattern::parse(repeated("{", times)).has_value());
  }
  EXPECT_EQ(PathPattern::parse(repeated("{a}", 101)).error().message,
            cat("Pattern `", repeated("{a}", 101), "` has more than 100 braces"));
  EXPECT_TRUE(matches(repeated("{a}", 100), repeated("a", 100)));
  EXPECT_TRUE(matches(repeated("[{]", 200), repeated("{", 200))) << "these are none";
}

TEST(Glob, TheLongestPathCanBeWrittenEscapedAndNoLongerOne) {
  EXPECT_TRUE(matches(repeated("\\{", 4095), repeated("{", 4095)));
  EXPECT_EQ(PathPattern::parse(repeated("*", 8193)).error().message,
            cat("Pattern `", repeated("*", 60), "...` is longer than 8192 bytes"));
}

TEST(Glob, ALiteralNamesOnePath) {
  EXPECT_TRUE(pattern("a/b\\*c").is_literal());
  EXPECT_EQ(pattern("./a//b\\*c").path(), "a/b*c");
  EXPECT_FALSE(pattern("a/*").is_literal());
  EXPECT_FALSE(pattern("{a,b}").is_literal());
  EXPECT_FALSE(pattern("**").is_literal());
}

TEST(Glob, RootIsTheFolderThatAllMatchesShare) {
  EXPECT_EQ(pattern("a/b/*.c").root(), "a/b");
  EXPECT_EQ(pattern("a/b/c").root(), "a/b");
  EXPECT_EQ(pattern("**/c").root(), "");
  EXPECT_EQ(pattern("a/{b/c,b/d}").root(), "a/b");
  EXPECT_EQ(pattern("a\\[/b").root(), "a[");
  EXPECT_EQ(pattern("{a/x,b/x}").root(), "");
}

TEST(Glob, KnowsWhereNothingCanMatchBelow) {
  EXPECT_TRUE(pattern("a/b/*").may_match_below(""));
  EXPECT_TRUE(pattern("a/b/*").may_match_below("a"));
  EXPECT_TRUE(pattern("a/b/*").may_match_below("a/b"));
  EXPECT_FALSE(pattern("a/b/*").may_match_below("a/b/c"));
  EXPECT_FALSE(pattern("a/b/*").may_match_below("b"));
  EXPECT_TRUE(pattern("a/**/z").may_match_below("a/b/c"));
  EXPECT_FALSE(pattern("a/**/z").may_match_below("b"));
}

// The slowest and plainest matcher of one alternative without brackets.
bool naive_name(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    return naive_name(pattern.substr(1), name) || (!name.empty() && naive_name(pattern, name.substr(1)));
  }
  return !name.empty() && (pattern[0] == '?' || pattern[0] == name[0]) &&
         naive_name(pattern.substr(1), name.substr(1));
}

bool naive(std::span<const std::string> pattern, std::span<const std::string> path) {
  if (pattern.empty()) return path.empty();
  if (pattern[0] == "**") {
    return naive(pattern.subspan(1), path) || (!path.empty() && naive(pattern, path.subspan(1)));
  }
  return !path.empty() && naive_name(pattern[0], path[0]) && naive(pattern.subspan(1), path.subspan(1));
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t limit) { return engine_() % limit; }
  std::string text(std::string_view letters) {
    std::string out;
    for (std::size_t i = below(4) + 1; i > 0; --i) out += letters[below(letters.size())];
    return out;
  }

 private:
  std::mt19937 engine_;
};

TEST(Glob, AgreesWithANaiveMatcher) {
  Random random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> names;
    std::vector<std::string> path;
    for (std::size_t i = random.below(4) + 1; i > 0; --i)
      names.push_back(random.below(3) == 0 ? "**" : random.text("aab*?"));
    for (std::size_t i = random.below(5) + 1; i > 0; --i) path.push_back(random.text("aab"));
    const std::string text = join(names, "/");
    const std::string where = join(path, "/");
    ASSERT_EQ(matches(text, where), naive(names, path)) << text << " on " << where;
  }
}

TEST(Glob, NeverSaysThatNothingIsBelowWhereSomethingMatches) {
  Random random(8);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> names;
    for (std::size_t i = random.below(4) + 1; i > 0; --i)
      names.push_back(random.below(3) == 0 ? "**" : random.text("ab*?"));
    const std::string path = cat(random.text("ab"), '/', random.text("ab"), '/', random.text("ab"));
    const PathPattern made = pattern(join(names, "/"));
    if (!made.matches(path)) continue;
    for (std::string_view at = path_folder(path);; at = path_folder(at)) {
      ASSERT_TRUE(made.may_match_below(at)) << made.text() << " on " << path << " in " << at;
      if (at.empty()) break;
    }
  }
}

TEST(Glob, ManyStarsTakeNoLongTime) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "*a";
  EXPECT_FALSE(matches(text + "b", std::string(2000, 'a')));
  std::string deep;
  for (int i = 0; i < 30; ++i) deep += "**/a/";
  std::string path = "a";
  for (int i = 0; i < 500; ++i) path += "/a";
  EXPECT_FALSE(matches(deep + "b", path));
}

}  // namespace
}  // namespace trainmake
