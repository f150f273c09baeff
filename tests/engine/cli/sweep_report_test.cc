#include "engine/cli/sweep_report.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "rules/job/attempt.h"

namespace trainmake {
namespace {

Label job(const std::string& name) { return {"", "job", name}; }

struct Sweep {
  struct Heard final : Reporter {
    std::vector<Event> events;
    void event(const Event& event) override { events.push_back(event); }
    void finished(const Summary&, const Tally&) override {}
  } heard;
  std::string here;
  SweepReport report{heard, here};

  void ends(const std::string& name, RunStatus status, bool is_tried_now) {
    trainmake::Run run;
    run.id = "0123456789ab";
    run.label = job(name);
    run.status = status;
    run.reason = "exit code 3";
    if (is_tried_now) report.event(StepStarted{run.label, {}});
    report.event(Problem{failure_of(run, run.label.shortest_from(here), {}, {"job:" + name}), run.label});
    report.event(StepEnded{run.label, Outcome::kFailed, "", 0});
  }
  std::vector<std::string> told() const {
    std::vector<std::string> told;
    for (const Event& event : heard.events) {
      if (const auto* problem = std::get_if<Problem>(&event))
        told.push_back(cat(problem->error.message, problem->error.hint.empty() ? "" : " (hint)"));
      if (const auto* ended = std::get_if<StepEnded>(&event)) told.push_back(ended->label.name);
    }
    return told;
  }
};

std::string hint_of(const Sweep& sweep, const std::vector<std::string>& words) {
  const Result<CommandLine> line = parse_command_line(words);
  EXPECT_TRUE(line);
  return sweep.report.hint(*line);
}

using Lines = std::vector<std::string>;

TEST(SweepReport, TheFirstFailureIsToldInFullAndTheOthersAreCounted) {
  Sweep sweep;
  for (const char* name : {"s1", "s2", "s3"}) sweep.ends(name, RunStatus::kFailed, false);
  sweep.ends("s4", RunStatus::kCancelled, false);
  EXPECT_EQ(sweep.told(), (Lines{"`job:s1` failed: exit code 3", "s1"}));
  EXPECT_EQ(hint_of(sweep, {"job:s*"}),
            "hint: 3 of these jobs failed, 1 was cancelled; `trainmake --retry 'job:s*'` tries again, "
            "`trainmake runs 'job:s*'` lists them\n");
}

TEST(SweepReport, OneThatIsTriedNowIsNamedAsItEnds) {
  Sweep sweep;
  sweep.ends("s1", RunStatus::kFailed, true);
  sweep.ends("s2", RunStatus::kFailed, true);
  EXPECT_EQ(sweep.told(), (Lines{"`job:s1` failed: exit code 3", "s1", "s2"}));
}

TEST(SweepReport, AnotherErrorIsToldAsItIs) {
  Sweep sweep;
  sweep.ends("s1", RunStatus::kCancelled, false);
  for (const char* name : {"s2", "s3"})
    sweep.report.event(Problem{step_error("Cannot write `x`: No space left", "Make room"), job(name)});
  EXPECT_EQ(sweep.told(), (Lines{"`job:s1` was cancelled", "s1", "Cannot write `x`: No space left (hint)",
                                 "Cannot write `x`: No space left (hint)"}));
  EXPECT_TRUE(hint_of(sweep, {"job:s*"}).starts_with("hint: 1 of these jobs was cancelled; "));
}

TEST(SweepReport, ThereIsNoHintWhenAllWentWell) { EXPECT_EQ(hint_of(Sweep(), {"job:s*"}), ""); }

TEST(SweepReport, EveryEndOfAJobIsKnownByItsError) {
  for (const RunStatus status :
       {RunStatus::kFailed, RunStatus::kCancelled, RunStatus::kLost, RunStatus::kSucceeded}) {
    trainmake::Run run;
    run.status = status;
    EXPECT_EQ(end_told_by(failure_of(run, "job:a", {}, {"job:a"}), "job:a"), status);
    EXPECT_FALSE(end_told_by(failure_of(run, "job:a", {}, {"job:a"}), "job:b"));
  }
}

TEST(SweepReport, WhatIsTypedAgainHasTheFlagsThatWereGivenAndForcesNothing) {
  for (const auto& [words, again] :
       {std::pair(Lines{"job:s*", "job:t"}, "trainmake --retry 'job:s*' job:t"),
        std::pair(Lines{"run", "--local", "--contract", "uai", "--variant=cpu", "job:s*"},
                  "trainmake run --contract uai --variant cpu --local --retry 'job:s*'"),
        std::pair(Lines{"--platform", "my lab", "-k", "--force", "--retry", "job:s*"},
                  "trainmake --platform 'my lab' --keep-going --retry 'job:s*'")}) {
    const Result<CommandLine> line = parse_command_line(words);
    ASSERT_TRUE(line);
    EXPECT_EQ(retried(*line), again);
  }
}

}  // namespace
}  // namespace trainmake
