#include "engine/plan/plan.h"

#include <gtest/gtest.h>

#include "tests/support/engine_world.h"

namespace trainmake {
namespace {

// Remembers every target of `world` as it is now.
void remember_all(EngineWorld& world) {
  for (TargetId id = 0; id < world.graph.targets.size(); ++id) {
    const Plan plan = world.plan();
    const PlannedStep& step = plan.steps[id];
    const Label& label = world.graph[id].label;
    ASSERT_TRUE(world.memory.remember({label,
                                       step.fingerprint,
                                       step.description.manifest,
                                       {{"out", world.rule.result_of(label.name), "", 0, ""}},
                                       1,
                                       "test",
                                       ""}));
  }
}

TEST(Plan, NeverBuiltRunsAndSaysSo) {
  EngineWorld world{{"a", {}}};
  const Plan plan = world.plan();
  EXPECT_EQ(plan.steps[0].verdict, Verdict::kRun);
  ASSERT_EQ(plan.steps[0].reasons.size(), 1U);
  EXPECT_EQ(plan.steps[0].reasons[0].kind, ReasonKind::kNeverBuilt);
}

TEST(Plan, WhatIsRememberedIsUpToDate) {
  EngineWorld world{{"a", {}}, {"b", {"a"}}};
  remember_all(world);
  EXPECT_EQ(world.verdict("a"), Verdict::kUpToDate);
  EXPECT_EQ(world.verdict("b"), Verdict::kUpToDate);
}

TEST(Plan, ChangesNothing) {
  EngineWorld world{{"a", {}}, {"b", {"a"}}};
  (void)world.plan();
  EXPECT_EQ(world.memory.writes, 0);
  EXPECT_TRUE(world.rule.executed.empty());
}

TEST(Plan, ChangedContentRunsAndNamesTheLine) {
  EngineWorld world{{"a", {}}};
  remember_all(world);
  world.rule.content["a"] = "second";
  const Plan plan = world.plan();
  EXPECT_EQ(plan.steps[0].verdict, Verdict::kRun);
  EXPECT_EQ(plan.steps[0].reasons,
            (std::vector<Reason>{{ReasonKind::kInputChanged, Section::kCode, "content"}}));
}

TEST(Plan, WhatComesAfterAnUnpredictableRunIsMaybe) {
  EngineWorld world{{"a", {}}, {"b", {"a"}}};
  remember_all(world);
  world.rule.content["a"] = "second";
  EXPECT_EQ(world.verdict("a"), Verdict::kRun);
  EXPECT_EQ(world.verdict("b"), Verdict::kMaybe);
}

TEST(Plan, WhatNeverRanAfterAnUnpredictableRunIsCertain) {
  EngineWorld world{{"a", {}}, {"b", {"a"}}};
  EXPECT_EQ(world.verdict("b"), Verdict::kRun);
}

TEST(Plan, APredictedResultMakesTheNextVerdictExact) {
  EngineWorld world{{"a", {}}, {"b", {"a"}}};
  remember_all(world);
  world.rule.predicts = true;
  world.rule.content["a"] = "second";
  EXPECT_EQ(world.verdict("b"), Verdict::kRun);
  world.rule.results["a"] = "made of first";  // comes out as before
  EXPECT_EQ(world.verdict("a"), Verdict::kRun);
  EXPECT_EQ(world.verdict("b"), Verdict::kUpToDate);
}

TEST(Plan, AnEarlierResultIsReused) {
  EngineWorld world{{"a", {}}};
  remember_all(world);
  world.rule.content["a"] = "second";
  remember_all(world);
  world.rule.content["a"] = "first";
  EXPECT_EQ(world.verdict("a"), Verdict::kReuse);
}

TEST(Plan, ReasonsAreOfTheSamePlatformWhateverWasTriedElsewhereSince) {
  const auto remember = [](EngineWorld& world, const char* platform, const char* content) {
    world.rule.platform = platform;
    world.rule.content["a"] = content;
    remember_all(world);
  };
  EngineWorld world{{"a", {}}};
  remember(world, "cloud", "first");
  remember(world, "local", "second");
  world.rule.platform = "cloud";
  EXPECT_EQ(world.plan().steps[0].reasons,
            (std::vector<Reason>{{ReasonKind::kInputChanged, Section::kCode, "content"}}));
  world.rule.platform = "cluster";
  EXPECT_EQ(world.plan().steps[0].reasons,
            (std::vector<Reason>{{ReasonKind::kInputChanged, Section::kPlatform, "platform"}}))
      << "where nothing ran yet, since the last";
}

TEST(Plan, AnEarlierResultThatIsGoneIsNotReused) {
  EngineWorld world{{"a", {}}};
  remember_all(world);
  world.rule.content["a"] = "second";
  remember_all(world);
  world.rule.content["a"] = "first";
  world.rule.lost.insert("a");
  EXPECT_EQ(world.verdict("a"), Verdict::kRun);
}

TEST(Plan, AMissingOutputRunsAgain) {
  EngineWorld world{{"a", {}}};
  remember_all(world);
  world.rule.lost.insert("a");
  const Plan plan = world.plan();
  EXPECT_EQ(plan.steps[0].verdict, Verdict::kRun);
  EXPECT_EQ(plan.steps[0].reasons[0].kind, ReasonKind::kOutputMissing);
}

TEST(Plan, ForceRunsWhatWasAskedForAndNotWhatItNeeds) {
  EngineWorld world{{"a", {}}, {"b", {"a"}}};
  remember_all(world);
  EXPECT_EQ(world.verdict("a", {.force = true}), Verdict::kUpToDate);
  EXPECT_EQ(world.verdict("b", {.force = true}), Verdict::kRun);
}

TEST(Plan, WhatFailedBeforeIsNotTriedAgainUnlessAsked) {
  EngineWorld world{{"a", {}}};
  world.rule.failed_earlier.insert("a");
  EXPECT_EQ(world.verdict("a"), Verdict::kFailed);
  EXPECT_EQ(world.verdict("a", {.retry = true}), Verdict::kRun);
  EXPECT_EQ(world.verdict("a", {.force = true}), Verdict::kRun);
}

TEST(Plan, WhatNeedsAFailureIsHeldUpByIt) {
  EngineWorld world{{"a", {}}, {"b", {"a"}}, {"c", {"b"}}, {"d", {}}};
  world.rule.failed_earlier.insert("a");
  const Plan plan = world.plan();
  for (const TargetId above : {1U, 2U}) {
    EXPECT_EQ(plan.steps[above].held_up_by, TargetId{0});
    EXPECT_FALSE(plan.steps[above].may_run());
    EXPECT_EQ(plan.steps[above].verdict, Verdict::kMaybe);
  }
  EXPECT_FALSE(plan.steps[0].may_run());
  EXPECT_TRUE(plan.steps[3].may_run());
  EXPECT_TRUE(world.plan({.retry = true}).steps[2].may_run());
}

TEST(Plan, BadInputIsAnErrorOfItsTargetAndTheRestIsPlanned) {
  EngineWorld world{{"a", {}}, {"b", {}}};
  world.rule.bad_input.insert("a");
  const Plan plan = world.plan();
  ASSERT_EQ(plan.errors.size(), 1U);
  EXPECT_EQ(plan.errors[0].second, EngineWorld::label("a"));
  EXPECT_EQ(plan.errors[0].first.where.line, 1);
  EXPECT_EQ(plan.steps[1].verdict, Verdict::kRun);
}

}  // namespace
}  // namespace trainmake
