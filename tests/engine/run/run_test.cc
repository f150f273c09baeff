#include "engine/run/run.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

#include "engine/base/file_lock.h"
#include "tests/support/engine_world.h"

namespace trainmake {
namespace {

struct RunWorld : EngineWorld {
  using EngineWorld::EngineWorld;

  std::vector<Event> events;
  std::stop_source stop;
  StepLocker locker;
  OnlookerOf onlooker;

  Summary run_all(RunOptions options = {}, PlanOptions planning = {}) {
    const Decider decider{graph, rules, memory, planning};
    options.version = "test";
    rule.executed.clear();
    const EventSink sink = [this](const Event& event) { events.push_back(event); };
    return run({decider, clock, sink, tally, locker, {}, onlooker}, make_plan(decider, 1), options,
               stop.get_token());
  }
};

std::vector<std::string> names(const Summary& summary, Outcome outcome) {
  std::vector<std::string> names;
  for (const Label& label : summary.of(outcome)) names.push_back(label.name);
  return names;
}

using Names = std::vector<std::string>;

TEST(Run, ExpectsThoseThatWaitForOthersAndAreToBeDone) {
  RunWorld world{{"a", {}}, {"b", {"a"}}, {"c", {}}};
  world.run_all();
  EXPECT_EQ(world.rule.expected, (Names{"b"}));
  world.rule.expected.clear();
  world.run_all();
  EXPECT_TRUE(world.rule.expected.empty());
}

TEST(Run, DoesEveryStepOnceInOrder) {
  RunWorld world{{"a", {}}, {"b", {"a"}}, {"c", {"a", "b"}}};
  const Summary summary = world.run_all();
  EXPECT_EQ(world.rule.executed, (Names{"a", "b", "c"}));
  EXPECT_EQ(names(summary, Outcome::kRan), (Names{"a", "b", "c"}));
  EXPECT_EQ(summary.exit_code, 0);
}

TEST(Run, DoesNothingTheSecondTime) {
  RunWorld world{{"a", {}}, {"b", {"a"}}};
  world.run_all();
  const int writes = world.memory.writes;
  const Summary summary = world.run_all();
  EXPECT_TRUE(world.rule.executed.empty());
  EXPECT_EQ(names(summary, Outcome::kUpToDate), (Names{"a", "b"}));
  EXPECT_EQ(world.memory.writes, writes);
}

TEST(Run, AChangeReachesOnlyWhatDependsOnIt) {
  RunWorld world{{"a", {}}, {"other", {}}, {"b", {"a"}}, {"all", {"b", "other"}}};
  world.run_all();
  world.rule.content["other"] = "second";
  const Summary summary = world.run_all();
  EXPECT_EQ(names(summary, Outcome::kRan), (Names{"all", "other"}));
  EXPECT_EQ(names(summary, Outcome::kUpToDate), (Names{"a", "b"}));
}

TEST(Run, CutsOffWhereAResultComesOutTheSame) {
  RunWorld world{{"a", {}}, {"b", {"a"}}, {"c", {"b"}}};
  world.run_all();
  world.rule.content["a"] = "second";
  world.rule.results["a"] = "made of first";
  const Summary summary = world.run_all();
  EXPECT_EQ(world.rule.executed, Names{"a"});
  EXPECT_EQ(names(summary, Outcome::kUpToDate), (Names{"b", "c"}));
}

TEST(Run, AnUndoneEditTakesTheEarlierResult) {
  RunWorld world{{"a", {}}, {"b", {"a"}}};
  world.run_all();
  world.rule.content["a"] = "second";
  world.run_all();
  world.rule.content["a"] = "first";
  const Summary summary = world.run_all();
  EXPECT_EQ(names(summary, Outcome::kReused), (Names{"a", "b"}));
  EXPECT_EQ(world.rule.restored, (Names{"a", "b"}));
  EXPECT_EQ(world.tally.reused_jobs, 2U);
  EXPECT_EQ(names(world.run_all(), Outcome::kUpToDate), (Names{"a", "b"}));
}

TEST(Run, AResultThatDiffersFromThePredictionIsDescribedAgain) {
  RunWorld world{{"a", {}}, {"b", {"a"}}};
  world.rule.predicts = true;
  world.rule.while_executing["a"] = [&](const Doing&) { world.rule.results["a"] = "something else"; };
  world.run_all();
  EXPECT_EQ(std::count(world.rule.described.begin(), world.rule.described.end(), "b"), 2);
  const std::optional<Record> record = *world.memory.last(EngineWorld::label("b"));
  Manifest expected;
  expected.add(Section::kCode, "content", "first");
  expected.add(Section::kUpstream, "//job:a", "something else");
  expected.seal();
  EXPECT_EQ(record->fingerprint, expected.fingerprint());
}

TEST(Run, AStepIsComparedWithThePredictionItWasDescribedWithNotALaterOne) {
  RunWorld world{{"a", {}}, {"b", {"a"}}, {"c", {"b"}}};
  world.rule.predicts = true;
  world.rule.while_executing["a"] = [&](const Doing&) {
    world.rule.results["a"] = "something else";
    world.rule.results["b"] = "made of that";
  };
  world.run_all();
  Manifest expected;
  expected.add(Section::kCode, "content", "first");
  expected.add(Section::kUpstream, "//job:b", "made of that");
  expected.seal();
  EXPECT_EQ((*world.memory.last(EngineWorld::label("c")))->fingerprint, expected.fingerprint());
}

TEST(Run, AFailureSkipsWhatNeedsItAndWhatWasNotStarted) {
  RunWorld world{{"a", {}}, {"b", {"a"}}, {"c", {}}, {"all", {"b", "c"}}};
  world.rule.failing.insert("a");
  const Summary summary = world.run_all({.parallel = 1});
  EXPECT_EQ(names(summary, Outcome::kFailed), Names{"a"});
  EXPECT_EQ(names(summary, Outcome::kSkipped), (Names{"all", "b", "c"})) << "c waited for a worker";
  EXPECT_EQ(summary.exit_code, 1);
  EXPECT_FALSE(*world.memory.last(EngineWorld::label("a")));
  EXPECT_FALSE(*world.memory.last(EngineWorld::label("b")));
}

TEST(Run, StepsThatPauseNeedNoWorker) {
  RunWorld world{{"a", {}}, {"b", {}}, {"c", {}}, {"all", {"a", "b", "c"}}};
  std::mutex mutex;
  std::vector<std::function<void()>> waiting;
  for (const char* name : {"a", "b", "c"}) {
    world.rule.pauses[name] = [&](std::function<void()> wake) {
      const std::lock_guard lock(mutex);
      waiting.push_back(std::move(wake));
      if (waiting.size() < 3) return;
      for (const auto& each : waiting) each();
    };
  }
  const Summary summary = world.run_all({.parallel = 1});
  EXPECT_EQ(names(summary, Outcome::kRan), (Names{"a", "all", "b", "c"}));
}

TEST(Run, AStepThatFailsAfterItsPauseHasFailed) {
  RunWorld world{{"a", {}}, {"b", {"a"}}};
  world.rule.pauses["a"] = [&](std::function<void()> wake) { std::thread(std::move(wake)).detach(); };
  world.rule.failing.insert("a");
  const Summary summary = world.run_all();
  EXPECT_EQ(names(summary, Outcome::kFailed), Names{"a"});
  EXPECT_EQ(names(summary, Outcome::kSkipped), Names{"b"});
}

TEST(Run, KeepGoingDoesWhatDoesNotNeedTheFailure) {
  RunWorld world{{"a", {}}, {"b", {"a"}}, {"c", {}}, {"d", {"c"}}, {"all", {"b", "d"}}};
  world.rule.failing.insert("a");
  const Summary summary = world.run_all({.parallel = 1, .keep_going = true});
  EXPECT_EQ(names(summary, Outcome::kRan), (Names{"c", "d"}));
  EXPECT_EQ(names(summary, Outcome::kSkipped), (Names{"all", "b"}));
  EXPECT_EQ(summary.exit_code, 1);
}

TEST(Run, WhatFailedBeforeFailsWithoutBeingTried) {
  RunWorld world{{"a", {}}};
  world.rule.failed_earlier.insert("a");
  const Summary summary = world.run_all();
  EXPECT_TRUE(world.rule.executed.empty());
  EXPECT_EQ(names(summary, Outcome::kFailed), Names{"a"});
  EXPECT_EQ(summary.exit_code, 1);
}

TEST(Run, StepsThatNeedNothingOfEachOtherRunSideBySide) {
  RunWorld world{{"a", {}}, {"b", {}}, {"all", {"a", "b"}}};
  std::promise<void> a_runs;
  std::promise<void> b_runs;
  world.rule.while_executing["a"] = [&](const Doing&) { a_runs.set_value(), b_runs.get_future().wait(); };
  world.rule.while_executing["b"] = [&](const Doing&) { b_runs.set_value(), a_runs.get_future().wait(); };
  EXPECT_EQ(world.run_all({.parallel = 2}).exit_code, 0);
}

TEST(Run, AStopDetachesWhatRunsAndStartsNothingMore) {
  RunWorld world{{"a", {}}, {"b", {"a"}}};
  world.rule.detaching.insert("a");
  world.rule.while_executing["a"] = [&](const Doing&) { world.stop.request_stop(); };
  const Summary summary = world.run_all();
  EXPECT_EQ(names(summary, Outcome::kDetached), Names{"a"});
  EXPECT_EQ(names(summary, Outcome::kSkipped), Names{"b"});
  EXPECT_EQ(summary.exit_code, 130);
  EXPECT_EQ(world.memory.writes, 0);
}

TEST(Run, WhatAWorkerAsksOfTheOwnerIsDoneBeforeItGoesOn) {
  RunWorld world{{"a", {}}};
  const std::thread::id owner = std::this_thread::get_id();
  std::thread::id asked_on;
  world.rule.while_executing["a"] = [&](const Doing& doing) {
    EXPECT_TRUE(std::this_thread::get_id() != owner);
    doing.on_owner([&] { asked_on = std::this_thread::get_id(); });
  };
  world.run_all();
  EXPECT_TRUE(asked_on == owner);
}

TEST(Run, EventsOfAStepComeBetweenItsStartAndItsEnd) {
  RunWorld world{{"a", {}}};
  world.rule.while_executing["a"] = [](const Doing& doing) {
    doing.events(LogLine{{"", "job", "a"}, "hello"});
  };
  world.run_all();
  ASSERT_EQ(world.events.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<StepStarted>(world.events[0]));
  EXPECT_TRUE(std::holds_alternative<LogLine>(world.events[1]));
  EXPECT_TRUE(std::holds_alternative<StepEnded>(world.events[2]));
}

TEST(Run, AStepThatAnotherProcessDidMeanwhileIsTakenFromIt) {
  RunWorld world{{"a", {}}};
  RunWorld other{{"a", {}}};
  other.run_all();
  int asked = 0;
  world.locker = [&](const Label& label,
                     const std::optional<Fingerprint>&) -> Result<std::optional<FileLock>> {
    if (++asked == 1) return std::optional<FileLock>();  // busy once; meanwhile the other one ends
    const std::optional<Record> done = *other.memory.last(label);
    EXPECT_TRUE(world.memory.remember(*done));
    return try_lock("/dev/null", FileLock::Mode::kShared);
  };
  const Summary summary = world.run_all();
  EXPECT_TRUE(world.rule.executed.empty());
  EXPECT_EQ(names(summary, Outcome::kUpToDate), Names{"a"});
}

TEST(Run, AStepThatFailedInAnotherProcessMeanwhileIsNotTriedAgain) {
  RunWorld world{{"a", {}}};
  int asked = 0;
  world.locker = [&](const Label&, const std::optional<Fingerprint>&) -> Result<std::optional<FileLock>> {
    if (++asked == 1) return std::optional<FileLock>();
    world.rule.failed_earlier.insert("a");
    EXPECT_TRUE(world.memory.put(trainmake::Run()));  // as a job does that fails
    return try_lock("/dev/null", FileLock::Mode::kShared);
  };
  const Summary summary = world.run_all();
  EXPECT_TRUE(world.rule.executed.empty());
  EXPECT_EQ(names(summary, Outcome::kFailed), Names{"a"});
}

TEST(Run, ARetryThatAnotherProcessDidIsNotDoneAgain) {
  RunWorld world{{"a", {}}};
  RunWorld other{{"a", {}}};
  other.run_all();
  world.locker = [&](const Label& label,
                     const std::optional<Fingerprint>&) -> Result<std::optional<FileLock>> {
    EXPECT_TRUE(world.memory.remember(**other.memory.last(label)));
    return try_lock("/dev/null", FileLock::Mode::kShared);
  };
  EXPECT_EQ(names(world.run_all({}, {.retry = true}), Outcome::kUpToDate), Names{"a"});
  EXPECT_TRUE(world.rule.executed.empty());
}

// Sees the run `x` of a step, and ends as it is told.
struct FakeOnlooker final : Onlooker {
  std::optional<Result<Done>> ends;
  explicit FakeOnlooker(std::optional<Result<Done>> how) : ends(std::move(how)) {}
  bool look() override { return true; }
  std::optional<Result<Done>> end() override { return ends; }
  LogTold told() const override { return {"x", 2}; }
};

// Another process does step `a`, to whose end one looks on, and remembers `record` of it.
Summary looked_on(RunWorld& world, const std::optional<Result<Done>>& ends, const Record* record = nullptr) {
  int asked = 0;
  world.onlooker = [&](const Target&, const Manifest&, const Doing&) {
    return std::make_unique<FakeOnlooker>(ends);
  };
  world.locker = [&, record](const Label&,
                             const std::optional<Fingerprint>&) -> Result<std::optional<FileLock>> {
    if (++asked == 1) return std::optional<FileLock>();
    if (record != nullptr && !world.memory.remember(*record)) ADD_FAILURE();
    return try_lock("/dev/null", FileLock::Mode::kShared);
  };
  return world.run_all({}, {.force = true});
}

TEST(Run, AStepThatWasLookedOnEndsAsItDidThere) {
  RunWorld world{{"a", {}}};
  RunWorld other{{"a", {}}};
  other.run_all();
  Record record = **other.memory.last(EngineWorld::label("a"));
  record.run = "x";
  const Summary summary = looked_on(world, Done{{}, "succeeded", false, "x"}, &record);
  EXPECT_EQ(names(summary, Outcome::kRan), Names{"a"});
  EXPECT_TRUE(world.rule.executed.empty()) << "whatever is forced";
  ASSERT_EQ(world.events.size(), 1U) << "nobody is told that it waits";
  EXPECT_EQ(std::get<StepEnded>(world.events.front()).note, "succeeded");
}

TEST(Run, OneThatWasLookedOnKeepsItsResultWhateverTheLabelHasByThen) {
  RunWorld world{{"a", {}}};
  RunWorld other{{"a", {}}};
  other.run_all();
  Record record = **other.memory.last(EngineWorld::label("a"));
  record.run = "x";
  ASSERT_TRUE(world.memory.remember(record));
  Record later = record;
  later.fingerprint.low += 1;
  later.run = "y";
  EXPECT_EQ(names(looked_on(world, Done{{}, "succeeded", false, "x"}, &later), Outcome::kRan), Names{"a"});
  EXPECT_TRUE(world.rule.executed.empty());
}

TEST(Run, AStepThatWasSeenToFailFails) {
  RunWorld world{{"a", {}}};
  const Summary summary = looked_on(world, fail(step_error("It failed")));
  EXPECT_EQ(names(summary, Outcome::kFailed), Names{"a"});
  EXPECT_EQ(summary.exit_code, 1);
  EXPECT_TRUE(world.rule.executed.empty());
}

TEST(Run, AStepThatWasLeftThereIsDoneHereAndWhatWasToldIsKnown) {
  RunWorld world{{"a", {}}};
  LogTold told;
  world.rule.while_executing["a"] = [&](const Doing& doing) { told = doing.told; };
  EXPECT_EQ(names(looked_on(world, std::nullopt), Outcome::kRan), Names{"a"});
  EXPECT_EQ(std::pair(told.run, told.lines), std::pair(std::string("x"), std::uint64_t{2}));
}

TEST(Run, AResultThatWasSeenButNotRememberedIsLookedForAsEver) {
  RunWorld world{{"a", {}}};
  EXPECT_EQ(names(looked_on(world, Done{{}, "", false, "x"}), Outcome::kRan), Names{"a"});
  EXPECT_EQ(world.rule.executed, Names{"a"});
}

TEST(Run, WhoStopsLookingOnLeavesItRunning) {
  RunWorld world{{"a", {}}};
  world.onlooker = [&](const Target&, const Manifest&, const Doing&) {
    return std::make_unique<FakeOnlooker>(Done{{}, "run x", true, "x"});
  };
  world.locker = [&](const Label&, const std::optional<Fingerprint>&) -> Result<std::optional<FileLock>> {
    world.stop.request_stop();
    return std::optional<FileLock>();
  };
  const Summary summary = world.run_all();
  EXPECT_EQ(names(summary, Outcome::kDetached), Names{"a"});
  EXPECT_EQ(summary.exit_code, 130);
}

TEST(Run, NoWaitLeavesWithBusyWhenAnotherProcessDoesTheStep) {
  RunWorld world{{"a", {}}};
  world.locker = [](const Label&, const std::optional<Fingerprint>&) -> Result<std::optional<FileLock>> {
    return std::optional<FileLock>();
  };
  EXPECT_EQ(world.run_all({.wait = false}).exit_code, 4);
}

TEST(ExitCode, NamesTheWorstThatHappened) {
  EXPECT_EQ(exit_code_of({}, false), 0);
  EXPECT_EQ(exit_code_of({Blame::kRemote}, false), 3);
  EXPECT_EQ(exit_code_of({Blame::kRemote, Blame::kStep}, false), 1);
  EXPECT_EQ(exit_code_of({Blame::kStep, Blame::kUser}, false), 2);
  EXPECT_EQ(exit_code_of({Blame::kBusy, Blame::kRemote}, false), 4);
  EXPECT_EQ(exit_code_of({Blame::kStep}, true), 130);
}

}  // namespace
}  // namespace trainmake
