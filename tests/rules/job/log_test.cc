// What is done with a job's log: secrets, lines, metrics.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/log_lines.h"
#include "engine/base/redactor.h"
#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

TEST(Redactor, FindsASecretHoweverItIsCut) {
  const std::string text = "a secret, a secretsecret, sec, secre";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    Redactor redactor({"secret"});
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += size)
      out += redactor.pass(std::string_view(text).substr(at, size));
    out += redactor.finish();
    EXPECT_EQ(out, "a ***, a ******, sec, secre") << size;
  }
}

TEST(Redactor, TakesTheLongestOfTwoThatBeginAlike) {
  Redactor redactor({"ab", "abcd"});
  EXPECT_EQ(redactor.redact("abcd abc ab a"), "*** ***c *** a");
  EXPECT_EQ(redactor.pass("xab"), "x");
  EXPECT_EQ(redactor.pass("c"), "");
  EXPECT_EQ(redactor.pass("d."), "***.");
  EXPECT_EQ(redactor.pass("ab"), "");
  EXPECT_EQ(redactor.finish(), "***");
}

TEST(Redactor, LetsThroughWhatIsNoSecretAtOnce) {
  Redactor redactor({"token", ""});
  EXPECT_EQ(redactor.pass("epoch 1\nto"), "epoch 1\n");
  EXPECT_EQ(redactor.pass("day"), "today");
  EXPECT_EQ(Redactor({}).redact("as it is"), "as it is");
}

std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
  LogLines lines;
  std::vector<std::string> all;
  const auto sink = [&](std::string_view line) { all.emplace_back(line); };
  for (const std::string& piece : pieces) lines.add(piece, sink);
  lines.finish(sink);
  return all;
}

TEST(LogLines, CutsWhereLinesEnd) {
  EXPECT_EQ(lines_of({"a\nb", "c\n\nd"}), (std::vector<std::string>{"a", "bc", "", "d"}));
  EXPECT_EQ(lines_of({"a\n"}), (std::vector<std::string>{"a"}));
  EXPECT_EQ(lines_of({}), (std::vector<std::string>{}));
}

TEST(LogLines, WhatWasOverwrittenIsGone) {
  EXPECT_EQ(lines_of({"1%\r50%", "\r100%\r\nend"}), (std::vector<std::string>{"100%", "end"}));
}

TEST(LogLines, ALineWithoutEndIsCut) {
  const auto lines = lines_of({std::string(50'000, 'a'), std::string(50'000, 'a') + "\nb\n"});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].size(), LogLines::kLongest);
  EXPECT_EQ(lines[1], "b");
}

TEST(Metrics, TheLastMatchThatIsANumberCounts) {
  const Value declared = table_of({{"loss", value_of(std::string("loss=([%d.e-]+)"))},
                                   {"epoch", value_of(std::string("epoch (%d+)"))},
                                   {"never", value_of(std::string("x(y)"))}});
  Metrics metrics = Metrics::of(&declared);
  for (const char* line : {"epoch 1 loss=0.5", "epoch 2 loss=2.5e-1", "loss=...", "xy"}) metrics.line(line);
  EXPECT_EQ(metrics.values(), (std::map<std::string, double>{{"loss", 0.25}, {"epoch", 2}}));
  EXPECT_TRUE(Metrics::of(nullptr).values().empty());
}

TEST(Metrics, ThoseThatFoundNothingAreNamed) {
  const Value declared = table_of(
      {{"loss", value_of(std::string("loss=(%d)"))}, {"word", value_of(std::string("loss=%d (%a+)"))}});
  Metrics metrics = Metrics::of(&declared);
  EXPECT_EQ(metrics.silent(), (std::vector<std::string>{"loss", "word"}));
  metrics.line("loss=1 nothing");
  EXPECT_EQ(metrics.silent(), std::vector<std::string>{"word"});
}

TEST(Metrics, AMatchWithinANumberStandsForAllOfIt) {
  struct Case {
    const char* pattern;
    const char* line;
    std::optional<double> number;
  };
  constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
  const Case cases[] = {
      {"loss=([%d.]+)", "loss=1e-05", 1e-05},
      {"loss=([%d.]+)", "loss=1.5E+3, lr=0.1", 1500},
      {"loss=([%d.]+)", "loss=2.5e3s", 2500},
      {"loss=([%d.]+)", "loss=1e", 1},
      {"loss=([%d.]+)", "loss=1e-", 1},
      {"loss=([%d.]+)", "loss=3 4", 3},
      {"loss=([%d.]+)", "loss=1-2", 1},
      {"loss=([%d.]+)", "loss=1.2.3", std::nullopt},
      {"loss=([%d.]+)", "loss=1e999", std::nullopt},
      {"loss=([%d.]+)", "loss=nan", std::nullopt},
      {"loss=(.+)", "loss=inf", kNoNumber},
      {"loss=(%S+)", "loss=0.5 loss=-nan", kNoNumber},
      {"loss=(%S+)", "loss=0.25.", 0.25},
      {"loss=(%S+)", "loss=0.5 loss=none", 0.5},
      {"acc=([%d.]+)", "acc=0.1 acc=0.9", 0.9},
      {"[%d.]+", "from 3 to 1e-05", 1e-05},
      {"loss=([%d.e]+)", "loss=1e-05", 1e-05},
      {"loss=([%d.e+-]+)", "loss=-1e-05", -1e-05},
      {"loss=([%d.e+-]+)", "loss=+1.5E+3", 1500},
      {"loss=([%d.e+-]+)", "loss=1-2", std::nullopt},
      {"[%d.]+", "-0.3", -0.3},
      {"[%d.]+", "loss: -0.3", -0.3},
      {"[%d.]+", "loss=(-.5)", -0.5},
      {"[%d.]+", "run-7", 7},
      {"-([%d.]+)", "3-7", 7},
      {"%d+$", "3-7", 7},
      {"%d+", "99 of 100", 100},
      {"%d", "99 of 100", 100},
      {"v(%d+)", "v1.2.3", 1},
      {"v([%d.]+)", "v1.2.3", std::nullopt},
      {"loss()", "loss=1e-05", 5},
  };
  for (const Case& each : cases) {
    const Value declared = table_of({{"m", value_of(std::string(each.pattern))}});
    Metrics metrics = Metrics::of(&declared);
    metrics.line(each.line);
    const auto found = metrics.values().find("m");
    const auto number = found != metrics.values().end() ? std::optional(found->second) : std::nullopt;
    if (each.number && std::isnan(*each.number)) {
      EXPECT_TRUE(number && std::isnan(*number)) << each.pattern << " in " << each.line;
      continue;
    }
    EXPECT_EQ(number, each.number) << each.pattern << " in " << each.line;
  }
}

TEST(Metrics, APatternThatTakesTooLongIsToldOnceAndGivenUp) {
  const Value declared = table_of(
      {{"loss", value_of(std::string("loss=([%d.]+)"))}, {"slow", value_of(std::string(".-.-.-.-.-(%d)x"))}});
  Metrics metrics = Metrics::of(&declared);
  EXPECT_EQ(metrics.line("loss=1 2x"), "");
  const std::string long_line(8000, 'a');
  const std::string told = metrics.line(long_line);
  EXPECT_NE(told.find("`.-.-.-.-.-(%d)x`"), std::string::npos) << told;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(metrics.line(long_line), "");
  EXPECT_EQ(metrics.line("loss=3 4x"), "");
  EXPECT_EQ(metrics.values(), (std::map<std::string, double>{{"loss", 3}, {"slow", 2}}));
}

TEST(Metrics, AMalformedPatternIsAnError) {
  for (const char* pattern : {"loss=(", "a)", "[%d", "%", "%b(", "%f", "[]", "[^]", "%1", "(%1)", "%0"}) {
    EXPECT_EQ(Metrics::wrong(table_of({{"m", value_of(std::string(pattern))}})).size(), 1U) << pattern;
  }
  for (const char* pattern : {"[]]", "[^]]", "%(", "%[", "%bxy", "%f[%d]", "()", "[%]]", "a%%"}) {
    EXPECT_TRUE(Metrics::wrong(table_of({{"m", value_of(std::string(pattern))}})).empty()) << pattern;
  }
}

}  // namespace
}  // namespace trainmake
