#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "engine/model/graph.h"

namespace trainmake {
namespace {

const Schema& code() {
  static const Schema schema = {
      "code", "", {{"srcs", Shape::kFiles, "", true}, {"main", Shape::kString, ""}}};
  return schema;
}
const Schema& job() {
  static const Schema schema = {"job",
                                "",
                                {{"code", Shape::kLabel, "", false, Effect::kResult, {"code"}},
                                 {"data", Shape::kChannels, "", false, Effect::kResult, {"data", "job"}}}};
  return schema;
}

Value text(const std::string& string, int line = 0) {
  Value value;
  value.data = string;
  value.line = line;
  return value;
}

Declaration declare(const std::string& kind, const std::string& name, int line,
                    std::vector<std::pair<std::string, Value>> fields) {
  return {kind, name, {{}, std::move(fields)}, {"TRAINFILE.lua", line}, {}};
}

Declaration some_code(const std::string& name, int line) {
  return declare("code", name, line, {{"srcs", text("a.py")}});
}

Resolver resolver(const std::string& request, std::vector<Declaration> declarations) {
  Resolver made({&code(), &job()}, "");
  made.ask({*parse_pattern(request, "")});
  EXPECT_EQ(made.missing(), std::vector<std::string>{""});
  made.add({"", "", std::move(declarations), {}, {}});
  return made;
}

Resolver::Outcome resolve(const std::string& request, std::vector<Declaration> declarations) {
  Resolver made = resolver(request, std::move(declarations));
  EXPECT_TRUE(made.missing().empty());
  return made.finish();
}

TEST(Resolve, PutsWhatIsNeededFirst) {
  const Resolver::Outcome outcome = resolve("job:j", {declare("job", "j", 1, {{"code", text("code:c")}}),
                                                      some_code("c", 2), some_code("unneeded", 3)});
  ASSERT_TRUE(outcome.errors.empty());
  ASSERT_EQ(outcome.graph.targets.size(), 2U);
  EXPECT_EQ(outcome.graph[0].label.text(), "//code:c");
  EXPECT_EQ(outcome.graph[1].needs.at(0).target, 0U);
  EXPECT_EQ(outcome.graph.asked, std::vector<TargetId>{1});
}

TEST(Resolve, BesideErrorsItBuildsWhatNothingIsWrongWith) {
  const Resolver::Outcome outcome = resolve(
      "*:*", {some_code("fine", 1), declare("job", "fine", 2, {{"code", text("code:fine")}}),
              declare("job", "dangling", 3, {{"code", text("code:zzz")}}),
              declare("job", "above", 4, {{"data", text("job:dangling")}}), declare("code", "empty", 5, {}),
              declare("job", "e", 6, {{"code", text("code:empty")}})});
  EXPECT_EQ(outcome.errors.size(), 2U);
  ASSERT_EQ(outcome.graph.targets.size(), 2U);
  EXPECT_EQ(outcome.graph[0].label.text(), "//code:fine");
  EXPECT_EQ(outcome.graph[1].label.text(), "//job:fine");
  EXPECT_TRUE(outcome.graph.asked.empty());
}

TEST(Resolve, ACircleIsToldBesideOtherErrors) {
  const Resolver::Outcome outcome =
      resolve("*:*", {declare("job", "a", 1, {{"data", text("job:b")}}),
                      declare("job", "b", 2, {{"data", text("job:a")}}), declare("code", "empty", 3, {})});
  EXPECT_EQ(outcome.errors.size(), 2U);
  EXPECT_TRUE(outcome.graph.targets.empty());
}

TEST(Resolve, EveryCircleIsTold) {
  const Resolver::Outcome outcome =
      resolve("*:*", {declare("job", "a", 1, {{"data", text("job:b")}}),
                      declare("job", "b", 2, {{"data", text("job:a")}}),
                      declare("job", "self", 3, {{"data", text("job:self")}}),
                      declare("job", "above", 4, {{"data", text("job:self")}}), some_code("fine", 5)});
  ASSERT_EQ(outcome.errors.size(), 2U);
  EXPECT_NE(outcome.errors[1].message.find("`job:self` needs `job:self`"), std::string::npos);
  ASSERT_EQ(outcome.graph.targets.size(), 1U);
  EXPECT_EQ(outcome.graph[0].label.name, "fine");
}

TEST(Resolve, OneMistakeOfALoopIsToldOnce) {
  std::vector<Declaration> swept;
  for (int i = 0; i < 200; ++i) swept.push_back(declare("job", cat("j", i), 7, {{"mian", text("x")}}));
  const Resolver::Outcome outcome = resolve("*:*", std::move(swept));
  ASSERT_EQ(outcome.errors.size(), 1U);
  EXPECT_NE(outcome.errors[0].hint.find("200 times"), std::string::npos) << outcome.errors[0].hint;
}

TEST(Resolve, ANameThatIsNearlyTheRequiredOneIsOneMistake) {
  const Resolver::Outcome outcome = resolve("*:*", {declare("code", "c", 1, {{"src", text("x")}})});
  ASSERT_EQ(outcome.errors.size(), 1U);
  EXPECT_NE(outcome.errors[0].hint.find("`srcs`"), std::string::npos);
}

TEST(Resolve, AsksForTheProjectsThatLabelsName) {
  Resolver made = resolver("job:j", {declare("job", "j", 1, {{"code", text("//other/code:c")}})});
  EXPECT_EQ(made.missing(), std::vector<std::string>{"other"});
  made.add({"other", "", {some_code("c", 1)}, {}, {}});
  EXPECT_TRUE(made.missing().empty());
  const Resolver::Outcome outcome = made.finish();
  EXPECT_TRUE(outcome.errors.empty());
  EXPECT_EQ(outcome.graph[0].label.text(), "//other/code:c");
}

TEST(Resolve, DoesNotAskForProjectsThatOnlyOthersNeed) {
  Resolver made =
      resolver("code:c", {some_code("c", 1), declare("job", "j", 2, {{"code", text("//other/code:c")}})});
  EXPECT_TRUE(made.missing().empty());
  EXPECT_TRUE(made.finish().errors.empty());
}

TEST(Resolve, CollectsEveryErrorWithItsLine) {
  const Resolver::Outcome outcome =
      resolve("code:c", {declare("code", "c", 1, {{"mian", text("x", 3)}, {"srcs", text("a")}}),
                         declare("code", "d", 5, {}), declare("job", "j", 7, {{"code", text("code:cc", 8)}}),
                         declare("job", "k", 9, {{"code", text("job:j", 10)}})});
  std::vector<int> lines;
  for (const Error& error : outcome.errors) lines.push_back(error.where.line);
  EXPECT_EQ(lines, (std::vector<int>{3, 5, 8, 10}));
  EXPECT_NE(outcome.errors[0].hint.find("`main`"), std::string::npos);
  EXPECT_NE(outcome.errors[2].hint.find("`code:c`"), std::string::npos);
}

TEST(Resolve, SuggestsTheSameNameOfAnotherKind) {
  const Resolver::Outcome outcome = resolve("job:c", {some_code("c", 1)});
  ASSERT_EQ(outcome.errors.size(), 1U);
  EXPECT_NE(outcome.errors[0].hint.find("`code:c`"), std::string::npos);
}

TEST(Resolve, WhatIsMissingFromAFileThatStoppedIsNoNews) {
  for (const bool is_whole : {false, true}) {
    Resolver made({&code(), &job()}, "");
    made.ask({*parse_pattern("job:j", "")});
    made.add({"",
              "",
              {declare("job", "j", 1, {{"code", text("code:later")}})},
              {user_error("Wrong").at({"TRAINFILE.lua", 2})},
              {},
              is_whole});
    EXPECT_TRUE(made.missing().empty());
    EXPECT_EQ(made.finish().errors.size(), is_whole ? 2U : 1U);
  }
}

TEST(Resolve, AnAbsentProjectIsTold) {
  Resolver made({&code(), &job()}, "");
  made.ask({*parse_pattern("//nowhere/job:j", "")});
  EXPECT_EQ(made.missing(), std::vector<std::string>{"nowhere"});
  made.add_absent("nowhere");
  const Resolver::Outcome outcome = made.finish();
  ASSERT_EQ(outcome.errors.size(), 1U);
  EXPECT_NE(outcome.errors[0].message.find("`nowhere`"), std::string::npos);
}

TEST(Resolve, ShowsACircleInOrder) {
  const auto needing = [](const std::string& name, const std::string& other) {
    Value channels;
    channels.data = Table{{text(other)}, {}};
    return declare("job", name, 1, {{"data", channels}});
  };
  const Resolver::Outcome outcome =
      resolve("job:a", {needing("a", "job:b"), needing("b", "job:c"), needing("c", "job:b")});
  ASSERT_EQ(outcome.errors.size(), 1U);
  EXPECT_NE(outcome.errors[0].message.find("`job:b` needs `job:c` needs `job:b`"), std::string::npos)
      << outcome.errors[0].message;
}

TEST(Resolve, AChainAsLongAsAFileIsNoTrouble) {
  std::vector<Declaration> chain = {declare("job", "j0", 1, {})};
  for (int i = 1; i < 50'000; ++i) {
    Value channels;
    channels.data = Table{{text(cat("job:j", i - 1))}, {}};
    chain.push_back(declare("job", cat("j", i), 1, {{"data", channels}}));
  }
  const Resolver::Outcome outcome = resolve("job:j49999", std::move(chain));
  EXPECT_TRUE(outcome.errors.empty());
  EXPECT_EQ(outcome.graph.targets.size(), 50'000U);
}

TEST(Schema, SaysWhatWasExpectedAndWhatWasThere) {
  Value number;
  number.data = std::int64_t{7};
  const std::vector<Error> errors =
      check(code(), {{}, {{"main", number}, {"srcs", text("a")}}}, {"TRAINFILE.lua", 4}, "code:c");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_NE(errors[0].message.find("expected a string, got a number"), std::string::npos);
}

TEST(Schema, FindsLabelsInListsAndChannels) {
  Value channels;
  channels.data = Table{{text("data:a")}, {{"train", text("data:b")}}};
  const std::vector<LabelUse> uses = label_uses(job(), {{}, {{"data", channels}}});
  ASSERT_EQ(uses.size(), 2U);
  EXPECT_EQ(uses[0].channel, "");
  EXPECT_EQ(uses[1].channel, "train");
}

}  // namespace
}  // namespace trainmake
