// What is done with a job's log: lines, metrics.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/log_lines.h"
#include "rules/job/left_files.h"
#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

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
  EXPECT_EQ(to_json(metrics.curves().at("loss")), "[[1.0,0.5],[2.0,0.25]]");
  EXPECT_TRUE(Metrics::of(nullptr).values().empty());
}

TEST(Metrics, AFileTellsThemByItsRows) {
  ScratchFolder folder;
  folder.write("m.jsonl",
               "{\"epoch\": 5, \"eval\": {\"acc\": 0.5}, \"note\": \"acc: NaN\"}\nno JSON\n"
               "{\"epoch\": 10, \"eval\": {\"acc\": NaN}, \"loss\": -Infinity}\n{\"epoch\": 15, "
               "\"eval\": {\"acc\": 0.75}}");
  folder.write("rows.csv", "step,\"loss, mean\"\n1,0.5\n2,\n3,0.125\n");
  const auto file = [](const char* path, const char* field, const char* step) {
    return table_of({{"file", value_of(std::string(path))},
                     {"field", value_of(std::string(field))},
                     {"step", value_of(std::string(step))}});
  };
  const Value declared = table_of({{"acc", file("./m.jsonl", "eval.acc", "epoch")},
                                   {"loss", file("rows.csv", "loss, mean", "step")},
                                   {"gone", file("none.csv", "x", "step")}});
  ASSERT_TRUE(Metrics::wrong(declared).empty());
  Metrics metrics = Metrics::of(&declared);
  metrics.read_files(*LeftFiles::by_process(real_file_system(), {folder.path()}));
  EXPECT_EQ(metrics.values(), (std::map<std::string, double>{{"acc", 0.75}, {"loss", 0.125}}));
  EXPECT_EQ(to_json(metrics.curves().at("acc")), "[[5.0,0.5],[10.0,null],[15.0,0.75]]");
  EXPECT_EQ(to_json(metrics.curves().at("loss")), "[[1.0,0.5],[3.0,0.125]]");
  EXPECT_EQ(metrics.silent(),
            std::vector<std::string>{"`gone` found no number as `x` in output file `none.csv`"});
}

TEST(Metrics, WhatNamesNoFileIsAnError) {
  for (const Value& said :
       {table_of({}), table_of({{"file", value_of(std::string("../x"))}}),
        table_of({{"file", value_of(std::string("x"))}, {"feild", value_of(std::string("x"))}}),
        table_of({{"file", value_of(std::int64_t{3})}}), value_of(std::int64_t{3})}) {
    EXPECT_EQ(Metrics::wrong(table_of({{"m", said}})).size(), 1U);
  }
  EXPECT_EQ(Metrics::wrong(list_of({"loss"})).size(), 1U);
}

TEST(Metrics, ThoseThatFoundNothingAreNamed) {
  const Value declared = table_of(
      {{"loss", value_of(std::string("loss=(%d)"))}, {"word", value_of(std::string("loss=%d (%a+)"))}});
  Metrics metrics = Metrics::of(&declared);
  EXPECT_EQ(metrics.silent().size(), 2U);
  metrics.line("loss=1 nothing");
  EXPECT_EQ(metrics.silent(), std::vector<std::string>{"`word` found no number in the log"});
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
    const std::map<std::string, double> values = metrics.values();
    const auto found = values.find("m");
    const auto number = found != values.end() ? std::optional(found->second) : std::nullopt;
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
