// Jobs on a UAI-Train in memory: what reaches it, that each starts once whatever becomes of an answer, and
// how trouble is told. What all platforms promise is in platforms_test.cc.
#include <gtest/gtest.h>

#include <set>

#include "rules/job/checkpoint.h"
#include "tests/rules/job/uai_world.h"
#include "tests/support/fake_clock.h"

namespace trainmake {
namespace {

const char* const kCreate = "CreateUAITrainJob";

TEST(UaiPlatform, AJobIsAskedForWithAllThatTheServiceWants) {
  UaiWorld world;
  JobSpec spec = UaiWorld::spec(1, "true");
  spec.memo = "first";
  GivenTree tree{"//data:d", "", std::make_shared<const Listing>()};
  tree.store = "store:mine/mnist";
  spec.data = {tree};
  const JobHandle job = world.submit(spec);
  auto asked = world.uai.created.at(job.job);
  EXPECT_TRUE(asked["TrainJobName"].starts_with("trainmake-run1-")) << asked["TrainJobName"];
  EXPECT_EQ(asked["CodeUhubPath"], "uhub.service.ucloud.cn/demo/mnist:trainmake-0123456789abcdef");
  EXPECT_EQ(asked["DataUfilePath"], "http://my-data.cn-bj.ufileos.com/mnist/");
  EXPECT_EQ(asked["OutputUfilePath"],
            cat("http://my-data.cn-bj.ufileos.com/.trainmake/uai/runs/", asked["TrainJobName"], "/"));
  EXPECT_EQ(asked["ProjectId"], "org-1");
  EXPECT_EQ(asked["TrainWorkId"], "41");
  EXPECT_EQ(asked["TrainModeId"], "7");
  EXPECT_EQ(asked["InputDataBackendId"], "3");
  EXPECT_EQ(asked["MaxExecuteTime"], "6");
  EXPECT_EQ(asked["TrainJobMemo"], "first");
  EXPECT_EQ(asked["TrainPrivateKey"], FakeUai::kPrivate);
}

TEST(UaiPlatform, TheKeyIsInNoBodyButThatOfAJob) {
  UaiWorld world;
  world.await_end(world.submit(UaiWorld::spec(1, "true")));
  for (const std::string& body : world.uai.bodies)
    EXPECT_EQ(body.find(FakeUai::kPrivate) != std::string::npos, body.find(kCreate) != std::string::npos);
}

TEST(UaiPlatform, WhatSeveralTargetsGiveIsPutTogetherOnce) {
  UaiWorld world;
  const auto given = [&](const char* content, const char* channel) {
    ListedFile file;
    file.key = "m.txt";
    file.size = 2;
    file.sha256 = *world.blobs.put(content);
    return GivenTree{"//job:m", channel, std::make_shared<const Listing>(Listing{file})};
  };
  JobSpec spec = UaiWorld::spec(1, "true");
  spec.data = {given("A\n", "a"), given("B\n", "b/c")};
  const std::string url = world.uai.created.at(world.submit(spec).job)["DataUfilePath"];
  const std::string folder = "bucket" + url.substr(url.find('/', 8));
  EXPECT_EQ(world.folder.read(folder + "a/m.txt"), "A\n");
  EXPECT_EQ(world.folder.read(folder + "b/c/m.txt"), "B\n");
  const auto sent = world.tally.uploaded_objects.load();
  JobSpec again = spec;
  again.run = "run2";
  again.key = "trainmake-run2";
  EXPECT_EQ(world.uai.created.at(world.submit(again).job)["DataUfilePath"], url);
  EXPECT_EQ(world.tally.uploaded_objects.load(), sent);
}

TEST(UaiPlatform, WhatWasPutTogetherIsPutTogetherAgainWhereItIsNotWhole) {
  UaiWorld world;
  ListedFile file;
  file.key = "m.txt";
  file.size = 2;
  file.sha256 = *world.blobs.put("A\n");
  JobSpec spec = UaiWorld::spec(1, "true");
  spec.data = {{"//job:m", "a", std::make_shared<const Listing>(Listing{file})},
               {"//job:n", "b", std::make_shared<const Listing>(Listing{file})}};
  const std::string url = world.uai.created.at(world.submit(spec).job)["DataUfilePath"];
  const std::string folder = "bucket" + url.substr(url.find('/', 8));
  std::filesystem::remove(world.folder.path(folder + "b/m.txt"));
  world.folder.write(folder + "of-somebody.txt", "x");
  const auto sent = world.tally.uploaded_objects.load();
  spec.run = "run2";
  spec.key = "trainmake-run2";
  world.submit(spec);
  EXPECT_EQ(world.folder.read(folder + "b/m.txt"), "A\n");
  EXPECT_EQ(world.tally.uploaded_objects.load(), sent + 1);
  EXPECT_FALSE(std::filesystem::exists(world.folder.path(folder + "of-somebody.txt")));
}

TEST(UaiPlatform, AJobWithoutDataReadsAnEmptyFolder) {
  UaiWorld world;
  auto asked = world.uai.created.at(world.submit(UaiWorld::spec(1, "true")).job);
  EXPECT_EQ(wrong_data_url(asked["DataUfilePath"]), "");
}

TEST(UaiPlatform, AJobWhoseAnswerWasLostIsFoundByItsName) {
  UaiWorld world;
  world.uai.losing[kCreate] = true;
  const JobHandle job = world.submit(UaiWorld::spec(1, "printf result > /data/output/o.txt"));
  EXPECT_EQ(job.job, "uaitrain-1");
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.uai.created.size(), 1U);
}

TEST(UaiPlatform, AJobThatWasAskedForBeforeIsWaitedForAndNotAskedForTwice) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.losing[kCreate] = true;
  world.uai.hide_new = true;
  const JobSpec spec = UaiWorld::spec(1, "sleep 3");  // what is done is on the list
  const auto lost = world.platform.submit(spec, {});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().blame, Blame::kRemote);
  EXPECT_NE(lost.error().message.find("not known whether the job was started"), std::string::npos);
  world.uai.losing.clear();
  world.uai.hide_new = false;
  UaiPlatform other = world.again();
  EXPECT_EQ(*other.submit(spec, {}), "uaitrain-1");
  EXPECT_EQ(world.uai.created.size(), 1U);
}

TEST(UaiPlatform, AJobThatNeverArrivedIsAskedForAgainOnceThatIsSure) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.silent[kCreate] = true;
  const JobSpec spec = UaiWorld::spec(1, "true");
  ASSERT_FALSE(world.platform.submit(spec, {}));
  world.uai.silent.clear();
  const std::int64_t before = clock.now_ns();
  EXPECT_EQ(*world.platform.submit(spec, {}), "uaitrain-1");
  EXPECT_GT(clock.now_ns() - before, 60'000'000'000);
  EXPECT_EQ(world.uai.created.size(), 1U);
}

TEST(UaiPlatform, AJobThatNobodyHeardOfMayAppearForAWhile) {
  FakeClock clock;
  UaiWorld world(clock);
  const JobSpec spec = UaiWorld::spec(1, "true");
  const JobHandle job{spec.run, spec.key, ""};
  EXPECT_FALSE(world.platform.poll(job)->may_appear) << "nobody asked for it";
  world.uai.silent[kCreate] = true;
  ASSERT_FALSE(world.platform.submit(spec, {}));
  EXPECT_FALSE(world.platform.poll(job)->known);
  EXPECT_TRUE(world.platform.poll(job)->may_appear);
  clock.advance(std::chrono::seconds(80));
  EXPECT_FALSE(world.platform.poll(job)->known);
  EXPECT_FALSE(world.platform.poll(job)->may_appear);
}

TEST(UaiPlatform, AWaitForAnotherCallsJobEndsWhenItIsStopped) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.losing[kCreate] = true;
  world.uai.hide_new = true;
  const JobSpec spec = UaiWorld::spec(1, "sleep 3");  // what is done is on the list
  ASSERT_FALSE(world.platform.submit(spec, {}));
  std::stop_source stop;
  world.uai.heard = [&](const std::string& action) {
    if (action == "GetUAITrainJobList") stop.request_stop();
  };
  const std::int64_t before = clock.now_ns();
  const auto stopped = world.platform.submit_all({{spec, {}, {stop.get_token()}}}).front();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().blame, Blame::kInterrupted);
  EXPECT_EQ(clock.now_ns(), before);
  world.uai.heard = nullptr;
  world.uai.hide_new = false;
  EXPECT_EQ(*world.again().submit(spec, {}), "uaitrain-1");
  EXPECT_EQ(world.uai.created.size(), 1U);
}

TEST(UaiPlatform, ACallThatIsStoppedOnItsWayIsLookedForByTheNext) {
  FakeClock clock;
  UaiWorld world(clock);
  std::stop_source stop;
  world.uai.losing[kCreate] = true;
  world.uai.heard = [&](const std::string& action) {
    if (action == kCreate) stop.request_stop();
  };
  const JobSpec spec = UaiWorld::spec(1, "true"), other = UaiWorld::spec(2, "true");
  for (const auto& stopped :
       world.platform.submit_all({{spec, {}, {stop.get_token()}}, {other, {}, {stop.get_token()}}})) {
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().blame, Blame::kInterrupted);
  }
  EXPECT_EQ(world.uai.created.size(), 1U) << "the second was not asked for any more";
  world.uai.heard = nullptr;
  world.uai.losing.clear();
  EXPECT_EQ(*world.again().submit(spec, {}), "uaitrain-1");
  EXPECT_EQ(world.uai.created.size(), 1U);
}

TEST(UaiPlatform, OfTwoJobsOfOneNameTheFirstGoesOn) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  const JobSpec spec = UaiWorld::spec(1, "true");
  world.submit(spec);
  world.submit(UaiWorld::spec(2, "true"));
  world.uai.rename("uaitrain-2", world.uai.created["uaitrain-1"]["TrainJobName"]);
  std::filesystem::remove(world.folder.path("cache/runs/run1/number"));
  EXPECT_EQ(*world.platform.submit(spec, {}), "uaitrain-1");
  EXPECT_EQ(world.uai.calls["StopUAITrainJob"], 1);
}

TEST(UaiPlatform, OfTwoJobsOfOneNameTheFirstIsTakenUpByWhoeverKnowsTheOther) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  world.submit(UaiWorld::spec(1, "true"));
  const JobHandle known = world.submit(UaiWorld::spec(2, "true"));
  world.uai.rename("uaitrain-1", world.uai.created["uaitrain-2"]["TrainJobName"]);
  std::string noted;
  world.uai.heard = [&](const std::string& action) {
    if (action == "StopUAITrainJob") noted = world.note_of("run2", "number");
  };
  for (int look = 0; look < 3; ++look) {
    clock.advance(std::chrono::seconds(100));
    EXPECT_EQ(world.platform.poll(known)->reason, "UAI-Train says `Queueing`");
  }
  EXPECT_EQ(world.uai.calls["StopUAITrainJob"], 1);
  EXPECT_EQ(noted, "uaitrain-1\n") << "before the other is stopped";
  world.uai.set_state("uaitrain-1", "Done");
  clock.advance(std::chrono::seconds(100));
  EXPECT_EQ(world.platform.poll(known)->status, RunStatus::kSucceeded);
}

TEST(UaiPlatform, OfTwoJobsOfOneNameTheOneThatIsDoneIsTheResult) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  const JobHandle first = world.submit(UaiWorld::spec(1, "true"));
  const JobHandle other = world.submit(UaiWorld::spec(2, "true"));
  world.uai.rename("uaitrain-2", world.uai.created["uaitrain-1"]["TrainJobName"]);
  world.uai.set_state("uaitrain-2", "Done");
  clock.advance(std::chrono::seconds(100));
  EXPECT_EQ(world.platform.poll(first)->status, RunStatus::kSucceeded);
  EXPECT_EQ(world.note_of("run1", "number"), "uaitrain-2\n");
  EXPECT_EQ(world.uai.calls["StopUAITrainJob"], 1);
}

TEST(UaiPlatform, ACancelledJobTakesAllOfItsNameWithIt) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  world.submit(UaiWorld::spec(1, "true"));
  const JobHandle known = world.submit(UaiWorld::spec(2, "true"));
  world.uai.rename("uaitrain-1", world.uai.created["uaitrain-2"]["TrainJobName"]);
  clock.advance(std::chrono::seconds(100));
  EXPECT_TRUE(world.platform.cancel(known));
  clock.advance(std::chrono::seconds(100));
  EXPECT_EQ(world.platform.poll(known)->status, RunStatus::kCancelled);
  EXPECT_EQ(world.uai.calls["StopUAITrainJob"], 2);
}

TEST(UaiPlatform, AJobThatACopyOfTheWorkspaceStartedIsTakenUp) {
  for (const char* state : {"Doing", "Done"}) {
    FakeClock clock;
    UaiWorld world(clock);
    world.uai.hold_jobs = true;
    const JobSpec spec = UaiWorld::spec(1, "true");
    const JobHandle job = world.submit(spec);
    world.uai.set_state(job.job, state);
    std::filesystem::remove_all(world.folder.path("cache/runs"));  // as the copy never had it
    UaiPlatform copy = world.again();
    clock.advance(std::chrono::seconds(100));
    const auto before = copy.poll({job.run, job.key, ""});
    EXPECT_TRUE(before->known);
    EXPECT_EQ(before->status, RunStatus::kQueued) << "till it is submitted";
    EXPECT_EQ(*copy.submit(spec, {}), job.job);
    EXPECT_EQ(is_over(copy.poll(job)->status), std::string(state) == "Done");
    EXPECT_EQ(world.uai.created.size(), 1U);
  }
}

// As a copy of the memory knows it, which has no notes of it, and another name for it.
TEST(UaiPlatform, AJobIsKnownByItsIdAlone) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  JobSpec spec = UaiWorld::spec(1, "true");
  const JobHandle job = world.submit(spec);
  std::filesystem::remove_all(world.folder.path("cache/runs"));
  std::filesystem::remove_all(world.folder.path("cache/uai"));
  UaiPlatform copy = world.again();
  clock.advance(std::chrono::seconds(100));
  const auto seen = copy.poll(job);
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_TRUE(seen->known);
  EXPECT_FALSE(is_over(seen->status));
  spec.job = job.job;
  EXPECT_EQ(*copy.submit(spec, {}), job.job);
  EXPECT_EQ(world.uai.created.size(), 1U);
  ASSERT_TRUE(copy.cancel(job));
  EXPECT_EQ(world.uai.calls["StopUAITrainJob"], 1);
}

// One that was asked for elsewhere, by a copy that has its name.
TEST(UaiPlatform, NoneIsCalledCancelledThatGoesOn) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  const JobHandle job = world.submit(UaiWorld::spec(1, "true"));
  std::filesystem::remove_all(world.folder.path("cache/runs"));
  UaiPlatform copy = world.again();
  clock.advance(std::chrono::seconds(100));
  const JobHandle intent{job.run, job.key, ""};
  world.uai.refusing["GetUAITrainJobList"] = {{"RetCode", 5000}, {"Message", "internal error"}};
  EXPECT_FALSE(copy.cancel(intent)) << "nobody knows whether there is one";
  EXPECT_FALSE(std::filesystem::exists(world.folder.path(cat("cache/runs/", job.run, "/exit.json"))));
  world.uai.refusing.clear();
  clock.advance(std::chrono::seconds(100));
  ASSERT_TRUE(copy.cancel(intent));
  EXPECT_EQ(world.uai.calls["StopUAITrainJob"], 1);
}

TEST(UaiPlatform, ANameThatAPowerCutTookIsNotUsed) {
  FakeClock clock;
  UaiWorld world(clock);
  world.folder.write("cache/uai/id", "");
  const auto started = world.platform.submit(UaiWorld::spec(1, "true"), {});
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("uai/id` is empty"), std::string::npos) << started.error().message;
  EXPECT_TRUE(world.uai.created.empty());
}

TEST(UaiPlatform, AJobOfItsNameThatFailedIsNotTakenUp) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  const JobSpec spec = UaiWorld::spec(1, "true");
  world.uai.set_state(world.submit(spec).job, "Error");
  std::filesystem::remove_all(world.folder.path("cache/runs"));
  EXPECT_EQ(*world.again().submit(spec, {}), "uaitrain-2");
}

TEST(UaiPlatform, AJobThatCannotBeNotedIsFoundByItsName) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  const std::string number = world.folder.path("cache/runs/run1/number");
  world.uai.heard = [&](const std::string& action) {
    if (action == kCreate) std::filesystem::create_directories(number + "/full");
  };
  const JobSpec spec = UaiWorld::spec(1, "true");
  const auto started = world.platform.submit(spec, {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().blame, Blame::kRemote) << "it is not known to have failed";
  EXPECT_NE(started.error().message.find("started job `uaitrain-1`"), std::string::npos);
  world.uai.heard = nullptr;
  std::filesystem::remove_all(number);
  EXPECT_EQ(*world.again().submit(spec, {}), "uaitrain-1");
  EXPECT_EQ(world.uai.created.size(), 1U);
}

TEST(UaiPlatform, ARefusalThatIsNotKnownMayHaveStartedIt) {
  FakeClock clock;
  UaiWorld world(clock);
  const UaiWorld::Json trouble = {{"RetCode", 5000}, {"Message", "internal error"}};
  world.uai.doing_and_refusing[kCreate] = trouble;
  EXPECT_EQ(world.submit(UaiWorld::spec(1, "true")).job, "uaitrain-1");
  world.uai.doing_and_refusing.clear();
  world.uai.refusing[kCreate] = trouble;
  const JobSpec spec = UaiWorld::spec(2, "true");
  const auto refused = world.platform.submit(spec, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().blame, Blame::kRemote);
  EXPECT_NE(refused.error().message.find("[5000] internal error"), std::string::npos);
  world.uai.refusing.clear();
  const std::int64_t before = clock.now_ns();
  EXPECT_EQ(*world.platform.submit(spec, {}), "uaitrain-2");
  EXPECT_GT(clock.now_ns() - before, 60'000'000'000);
}

TEST(UaiPlatform, AWaitIsNeitherLongerNorShorterWhereSomebodySetsTheClock) {
  for (const std::int64_t hours_off : {-24, 24}) {
    FakeClock clock;
    UaiWorld world(clock);
    world.uai.silent[kCreate] = true;
    const JobSpec spec = UaiWorld::spec(1, "true");
    ASSERT_FALSE(world.platform.submit(spec, {}));
    world.uai.silent.clear();
    world.folder.write("cache/runs/run1/asked", cat(clock.now_ns() + hours_off * 3600 * 1'000'000'000, "\n"));
    const std::int64_t before = clock.now_ns();
    std::vector<std::string> said;
    const auto say = [&](std::string text) { said.push_back(std::move(text)); };
    EXPECT_TRUE(world.again().submit_all({{spec, {}, {{}, say}}}).front());
    EXPECT_GT(clock.now_ns() - before, 60'000'000'000);
    EXPECT_LT(clock.now_ns() - before, 75'000'000'000);
    ASSERT_EQ(said.size(), 1U);
    EXPECT_NE(said[0].find("nobody heard what came of that: looking for it, 6"), std::string::npos)
        << said[0];
  }
}

TEST(UaiPlatform, AfterAnotherStartOfTheMachineTheWaitBeginsAnew) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.silent[kCreate] = true;
  const JobSpec spec = UaiWorld::spec(1, "true");
  ASSERT_FALSE(world.platform.submit(spec, {}));
  world.uai.silent.clear();
  clock.advance(std::chrono::hours(1));
  world.folder.write("cache/runs/run1/asked-clock", "another-boot\n5\n");
  const std::int64_t before = clock.now_ns();
  EXPECT_TRUE(world.again().submit(spec, {}));
  EXPECT_GT(clock.now_ns() - before, 69'000'000'000);
}

TEST(UaiPlatform, AWaitOfACancellationEndsWhenItIsStopped) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.silent[kCreate] = true;
  const JobSpec spec = UaiWorld::spec(1, "true");
  ASSERT_FALSE(world.platform.submit(spec, {}));
  const JobHandle job{spec.run, spec.key, ""};
  std::stop_source stop;
  std::string said;
  const auto hear = [&](const std::string& text) {
    said = text;
    stop.request_stop();
  };
  EXPECT_EQ(world.platform.cancel(job, {stop.get_token(), hear}).error().blame, Blame::kInterrupted);
  EXPECT_NE(said.find("looking for it"), std::string::npos);
  EXPECT_TRUE(world.platform.cancel(job)) << "nobody stops that one";
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kCancelled);
}

TEST(UaiPlatform, ARefusalIsToldWithItsCodeAndStartsNothing) {
  UaiWorld world;
  world.uai.refusing[kCreate] = {{"RetCode", 520},
                                 {"Message", std::string("no money for ") + FakeUai::kPrivate}};
  const JobSpec spec = UaiWorld::spec(1, "true");
  const auto refused = world.platform.submit(spec, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().blame, Blame::kRemote);
  EXPECT_TRUE(refused.error().lasts) << "nothing was started";
  EXPECT_EQ(refused.error().message,
            "Cannot start the job: UCloud answers CreateUAITrainJob with [520] no money for ***");
  EXPECT_EQ(refused.error().hint, "The account has no money left");
  EXPECT_FALSE(world.platform.poll({spec.run, spec.key, ""})->known);
  world.uai.refusing.clear();
  EXPECT_EQ(world.await_end(world.submit(spec)).status, RunStatus::kSucceeded);
}

TEST(UaiPlatform, AServiceThatIsBusyMayHaveStartedIt) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.refusing[kCreate] = {{"RetCode", 150}, {"Message", "unavailable"}};
  const auto open = world.platform.submit(UaiWorld::spec(1, "true"), {});
  EXPECT_EQ(open.error().blame, Blame::kRemote);
  EXPECT_FALSE(open.error().lasts);
}

TEST(UaiPlatform, NumbersAreLookedUpOnceADay) {
  FakeClock clock;
  UaiWorld world(clock);
  world.submit(UaiWorld::spec(1, "true"));
  world.submit(UaiWorld::spec(2, "true"));
  EXPECT_EQ(world.uai.calls["GetUAITrainAvailableResource"], 1);
  clock.advance(std::chrono::hours(25));
  world.submit(UaiWorld::spec(3, "true"));
  EXPECT_EQ(world.uai.calls["GetUAITrainAvailableResource"], 2);
}

TEST(UaiPlatform, WhatCannotBeReadOrNamesNothingIsNotKept) {
  for (const UaiWorld::Json& nonsense : {UaiWorld::Json(), UaiWorld::Json("busy")}) {
    FakeClock clock;
    UaiWorld world(clock);
    world.uai.refusing["GetUAITrainAvailableResource"] = {{"RetCode", 0}, {"DataSet", nonsense}};
    EXPECT_FALSE(world.platform.submit(UaiWorld::spec(1, "true"), {}));
    world.uai.refusing.clear();
    clock.advance(std::chrono::seconds(30));
    EXPECT_TRUE(world.platform.submit(UaiWorld::spec(1, "true"), {}));
  }
}

TEST(UaiPlatform, AMachineThatCameSinceIsAskedForOnceMore) {
  FakeClock clock;
  UaiWorld world(clock);
  const UaiWorld::Json one = {{{"NodeId", 40}, {"AcceleratorAmount", 1}, {"AcceleratorVersion", "K80"}}};
  world.uai.refusing["GetUAITrainAvailableResource"] = {{"RetCode", 0}, {"DataSet", one}};
  for (int number = 1; number <= 5; ++number)
    EXPECT_FALSE(world.platform.submit(UaiWorld::spec(number, "true"), {}));
  EXPECT_EQ(world.uai.calls["GetUAITrainAvailableResource"], 1);
  world.uai.refusing.clear();
  EXPECT_TRUE(world.again().submit(UaiWorld::spec(6, "true"), {}));
}

TEST(UaiPlatform, AServiceThatNeverAnswersHoldsUpNoJobsForLong) {
  UaiWorld world;
  world.uai.mute = {"GetUAITrainAvailableTrainMode"};
  for (int number = 1; number <= 9; ++number)
    EXPECT_TRUE(world.platform.admits({UaiWorld::spec(number, "true").resources}, Asking::kPlatform));
  EXPECT_EQ(world.uai.calls["GetUAITrainAvailableTrainMode"], 1);
  std::stop_source stop;
  std::string said;
  const Say hear = [&](const std::string& text) {
    said = text;
    stop.request_stop();
  };
  const Submission asked{UaiWorld::spec(1, "true"), {}, {stop.get_token(), hear}};
  EXPECT_EQ(world.platform.submit_all({asked}).front().error().blame, Blame::kInterrupted);
  EXPECT_EQ(said, "UAI-Train does not answer: asking again");
}

TEST(UaiPlatform, AServiceThatDoesNotAnswerHoldsUpOneOfManyJobs) {
  FakeClock clock;
  clock.endless = kSoonAnswered;  // it is always in time
  UaiWorld world(clock);
  world.uai.silent["GetUAITrainAvailableTrainMode"] = true;
  for (int number = 1; number <= 9; ++number)
    EXPECT_TRUE(world.platform.admits({UaiWorld::spec(number, "true").resources}, Asking::kPlatform));
  EXPECT_EQ(world.uai.calls["GetUAITrainAvailableTrainMode"], 4);
  world.uai.silent.clear();
  clock.advance(std::chrono::seconds(30));
  EXPECT_TRUE(world.platform.submit(UaiWorld::spec(1, "true"), {}));
}

TEST(UaiPlatform, AMachineThatThereIsNotIsRefusedWithThoseThatThereAre) {
  UaiWorld world;
  Table resources = UaiWorld::spec(1, "true").resources;
  resources.fields.back().second = text_value("2-V100");
  const auto refused = world.platform.admits({resources}, Asking::kPlatform);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "UAI-Train has no machine `2-V100` here");
  EXPECT_NE(refused.error().hint.find("`1-P40`, `4-P40`"), std::string::npos);
  resources.fields.back().second = text_value("4-p40");
  EXPECT_TRUE(world.platform.admits({resources}, Asking::kPlatform));
}

TEST(UaiPlatform, WhatIsKnownHereIsRefusedWithoutAskingAnybody) {
  UaiWorld world;
  Outlook job;
  job.resources = UaiWorld::spec(1, "true").resources;
  const auto refusal = [&] {
    const auto answer = world.platform.admits(job, Asking::kNobody);
    return answer ? "none" : answer.error().message;
  };
  EXPECT_EQ(refusal(), "none");
  job.data = {{"//data:d", "", nullptr, "", "", "store:mine/my data"}};
  EXPECT_NE(refusal().find("cannot read `http://my-data.cn-bj.ufileos.com/my data/`"), std::string::npos);
  job.data.clear();
  job.image = "hub.example.com/demo/mnist";
  EXPECT_NE(refusal().find("gets images from UHub alone"), std::string::npos);
  job.image = "uhub.ucloud.cn/demo/mnist";
  EXPECT_EQ(refusal(), "none");
  job.resources.fields.erase(job.resources.fields.begin());
  EXPECT_NE(refusal().find("does not say how long it may take"), std::string::npos);
  job.timeout_s = 60;
  EXPECT_EQ(refusal(), "none");
  EXPECT_TRUE(world.uai.calls.empty());
}

TEST(UaiPlatform, AnEndpointOfAStrangerGetsNoKeysUnlessTheEnvironmentNamesIt) {
  UaiWorld world;
  world.options.endpoint = "https://api.example.com";
  const JobSpec spec = UaiWorld::spec(1, "true");
  const auto refused = world.again().submit(spec, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("`https://api.example.com`, which is none of UCloud's"),
            std::string::npos);
  EXPECT_TRUE(world.uai.bodies.empty());
  world.environment.variables["UCLOUD_TRUSTED_ENDPOINT"] = "https://api.example.com/";
  EXPECT_TRUE(world.again().submit(spec, {}));
}

TEST(UaiPlatform, ManyJobsAreLookedAtByOneCall) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  std::vector<JobHandle> jobs;
  for (int number = 1; number <= 20; ++number) jobs.push_back(world.submit(UaiWorld::spec(number, "true")));
  clock.advance(std::chrono::seconds(2));
  for (const JobHandle& job : jobs) EXPECT_EQ(world.platform.poll(job)->reason, "UAI-Train says `Queueing`");
  EXPECT_EQ(world.uai.calls["GetUAITrainJobList"], 2) << "before the first of them, and now";
  for (int second = 0; second < 60; ++second) {
    clock.advance(std::chrono::seconds(1));
    for (const JobHandle& job : jobs) (void)world.platform.poll(job);
  }
  EXPECT_LT(world.uai.calls["GetUAITrainJobList"], 15);
}

TEST(UaiPlatform, AFailedLookSaysNothingOfTheJobAndIsNotRepeatedAtOnce) {
  FakeClock clock;
  UaiWorld world(clock);
  const JobHandle job = world.submit(UaiWorld::spec(1, "true"));
  world.uai.silent["GetUAITrainJobList"] = true;
  clock.advance(std::chrono::seconds(2));
  const int before = world.uai.calls["GetUAITrainJobList"];
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(world.platform.poll(job));
  EXPECT_EQ(world.uai.calls["GetUAITrainJobList"], before + 1);
}

TEST(UaiPlatform, AJobThatTheServiceForgotIsLost) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  const JobHandle job = world.submit(UaiWorld::spec(1, "true"));
  world.uai.forget(job.job);
  clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kQueued);  // it may not be listed yet
  clock.advance(std::chrono::seconds(100));
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kLost);
  EXPECT_TRUE(world.platform.cancel(job));  // as is asked of one that is lost
  EXPECT_EQ(world.uai.calls["StopUAITrainJob"], 1);
}

TEST(UaiPlatform, AListThatLacksWhatItCountsSaysNothingOfAJob) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  const JobHandle job = world.submit(UaiWorld::spec(1, "true"));
  clock.advance(std::chrono::seconds(100));
  world.uai.cut_lists = 1;
  const auto told = world.platform.poll(job);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().message, "UAI-Train tells of 0 jobs and says that there are 1");
  clock.advance(std::chrono::seconds(5));
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kRunning);
}

TEST(UaiPlatform, AListOfSeveralPagesIsReadToItsEnd) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  world.uai.page = 2;
  std::vector<JobHandle> jobs;
  for (int number = 1; number <= 5; ++number) jobs.push_back(world.submit(UaiWorld::spec(number, "true")));
  clock.advance(std::chrono::seconds(100));
  const int before = world.uai.calls["GetUAITrainJobList"];
  for (const JobHandle& job : jobs) EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kRunning);
  EXPECT_EQ(world.uai.calls["GetUAITrainJobList"], before + 3);
}

TEST(UaiPlatform, APageThatIsToldTwiceIsNoWholeList) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  for (int number = 1; number <= 6; ++number) world.submit(UaiWorld::spec(number, "true"));
  world.uai.page = 3;
  world.uai.one_page = true;
  clock.advance(std::chrono::seconds(100));
  const int before = world.uai.calls["GetUAITrainJobList"];
  const auto told = world.platform.poll({"run6", "trainmake-run6", "uaitrain-6"});
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().message, "UAI-Train tells of 3 jobs and says that there are 6");
  EXPECT_EQ(world.uai.calls["GetUAITrainJobList"], before + 2);
}

TEST(UaiPlatform, AListThatNeverEndsIsGivenUp) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  const JobHandle job = world.submit(UaiWorld::spec(1, "true"));
  world.uai.claimed = 1'000'000'000'000;
  clock.advance(std::chrono::seconds(100));
  const int before = world.uai.calls["GetUAITrainJobList"];
  EXPECT_FALSE(world.platform.poll(job));
  EXPECT_EQ(world.uai.calls["GetUAITrainJobList"], before + 2);
}

TEST(UaiPlatform, AListOfManyPagesEndsWhenItIsStopped) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  world.uai.page = 1;
  std::vector<JobHandle> jobs;
  for (int number = 1; number <= 5; ++number) jobs.push_back(world.submit(UaiWorld::spec(number, "true")));
  std::stop_source stop;
  world.uai.heard = [&](const std::string&) { stop.request_stop(); };
  clock.advance(std::chrono::seconds(100));
  const int before = world.uai.calls["GetUAITrainJobList"];
  EXPECT_EQ(world.platform.poll(jobs.front(), {stop.get_token()}).error().blame, Blame::kInterrupted);
  EXPECT_EQ(world.uai.calls["GetUAITrainJobList"], before + 1);
}

TEST(UaiPlatform, ABadCharacterOfAnybodyHidesNoJob) {
  for (const char* bad : {"\xE8\xAE", "\\ud83d", "\x01"}) {
    FakeClock clock;
    UaiWorld world(clock);
    world.uai.hold_jobs = true;
    JobSpec spec = UaiWorld::spec(1, "true");
    spec.memo = "of somebody ?";
    const JobHandle job = world.submit(spec);
    world.uai.foreign = bad;
    clock.advance(std::chrono::seconds(100));
    const auto told = world.platform.poll(job);
    ASSERT_TRUE(told) << told.error().message;
    EXPECT_EQ(told->status, RunStatus::kRunning);
  }
}

TEST(UaiPlatform, AJobThatNoListHasIsNotLostWhileTheServiceKnowsItsId) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.hold_jobs = true;
  const JobHandle job = world.submit(UaiWorld::spec(1, "true"));
  world.uai.unlisted = job.job;
  clock.advance(std::chrono::seconds(100));
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kRunning);
  clock.advance(std::chrono::seconds(10));
  world.uai.refusing["GetUAITrainRunningInfo"] = {{"RetCode", 5000}, {"Message", "database"}};
  EXPECT_FALSE(world.platform.poll(job)) << "that does not say that there is none";
  world.uai.refusing.clear();
  clock.advance(std::chrono::seconds(10));
  world.uai.refusing["StopUAITrainJob"] = {{"RetCode", 5000}, {"Message", "database"}};
  EXPECT_FALSE(world.platform.cancel(job)) << "it goes on";
}

TEST(UaiPlatform, AnEndIsToldThoughTheServiceForgetsIt) {
  UaiWorld world;
  const JobHandle job = world.submit(UaiWorld::spec(1, "true"));
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  world.uai.forget(job.job);
  UaiPlatform other = world.again();
  EXPECT_EQ(other.poll(job)->status, RunStatus::kSucceeded);
}

TEST(UaiPlatform, ALogOfWhichOnlyTheLastLinesAreToldIsKeptWhole) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.window = 2;
  const std::string gate = world.folder.path("gate");
  const JobHandle job = world.submit(
      UaiWorld::spec(1, cat("echo a; echo b; until test -e ", gate, "; do sleep 0.01; done; echo c")));
  const auto log = [&] { return world.platform.read_log(job, {0, 100}).value_or("cannot be read"); };
  while (log() != "a\nb\n") {
    clock.advance(std::chrono::seconds(20));
    real_clock().wait(std::chrono::milliseconds(5), {});
  }
  world.folder.write("gate", "");
  for (bool over = false; !over; real_clock().wait(std::chrono::milliseconds(5), {})) {
    clock.advance(std::chrono::seconds(20));
    over = is_over(world.platform.poll(job)->status);
  }
  EXPECT_EQ(log(), "a\nb\nc\n");
  const int asked = world.uai.calls["GetUAITrainRunningLog"];
  EXPECT_EQ(log(), "a\nb\nc\n");
  EXPECT_EQ(world.uai.calls["GetUAITrainRunningLog"], asked);
}

struct EndedUaiWorld {
  FakeClock clock;
  UaiWorld world{clock};
  JobHandle job;

  explicit EndedUaiWorld(const std::string& script) {
    world.uai.first_lines = 0;
    job = world.submit(UaiWorld::spec(1, script));
    world.await_end_there(job.job);
  }
  JobStatus look() {
    clock.advance(std::chrono::seconds(2));
    return *world.platform.poll(job);
  }
  std::string log() { return world.platform.read_log(job, {0, 100}).value_or("cannot be read"); }
};

TEST(UaiPlatform, AnEndIsToldWhenNothingNewComesToItsLog) {
  EndedUaiWorld ended("echo a; echo b");
  JobStatus status = ended.look();
  EXPECT_EQ(status.status, RunStatus::kRunning);
  EXPECT_EQ(status.reason, "UAI-Train says `Done`; its log is waited for: it tells of no line yet");
  ended.world.uai.first_lines = 1;
  status = ended.look();
  EXPECT_EQ(status.status, RunStatus::kRunning);
  EXPECT_EQ(status.reason, "");
  ended.world.uai.first_lines = 2;
  EXPECT_EQ(ended.look().status, RunStatus::kRunning);
  EXPECT_EQ(ended.look().status, RunStatus::kSucceeded);
  EXPECT_EQ(ended.log(), "a\nb\n");
}

TEST(UaiPlatform, AnEndIsNotHeldBackForLong) {
  EndedUaiWorld ended("true");
  int looks = 0;
  while (ended.look().status == RunStatus::kRunning && looks < 20) ++looks;
  EXPECT_GE(looks, 5);
  EXPECT_LE(looks, 7);
  EXPECT_EQ(ended.log(), "");
}

TEST(UaiPlatform, ALogThatCannotBeReadAtTheEndIsAskedForAgain) {
  EndedUaiWorld ended("echo a");
  ended.world.uai.first_lines = 9;
  ended.world.uai.refusing["GetUAITrainRunningLog"] = {{"RetCode", 150}, {"Message", "unavailable"}};
  const JobStatus status = ended.look();
  EXPECT_EQ(status.status, RunStatus::kRunning);
  EXPECT_NE(status.reason.find("[150] unavailable"), std::string::npos) << status.reason;
  for (int look = 0; look < 8; ++look) ended.look();
  EXPECT_EQ(ended.look().status, RunStatus::kSucceeded);
  EXPECT_EQ(ended.log(), "cannot be read");
  ended.world.uai.refusing.clear();
  EXPECT_EQ(ended.log(), "a\n");
}

TEST(UaiPlatform, TheLogOfACancelledJobIsNotWaitedFor) {
  EndedUaiWorld ended("echo a");
  ended.world.uai.set_state(ended.job.job, "Stopped");
  EXPECT_EQ(ended.look().status, RunStatus::kCancelled);
}

TEST(UaiPlatform, WhereLinesOfALogMayBeMissingALineOfOursSaysSo) {
  FakeClock clock;
  UaiWorld world(clock);
  world.uai.window = 2;
  const std::string first = world.folder.path("first"), second = world.folder.path("second");
  const auto wait = [](const std::string& gate) {
    return cat("until test -e ", gate, "; do sleep 0.01; done; ");
  };
  const JobHandle job = world.submit(UaiWorld::spec(
      1, cat("echo a; echo b; ", wait(first), "printf 'c\\nd\\ne\\n'; ", wait(second), "echo f")));
  std::string log;
  const auto await = [&](const std::string& end) {
    for (int tries = 0; tries < 2000 && !log.ends_with(end); ++tries) {
      clock.advance(std::chrono::seconds(20));
      real_clock().wait(std::chrono::milliseconds(5), {});
      (void)world.platform.poll(job);
      log = world.platform.read_log(job, {0, 1000}).value_or("cannot be read");
    }
  };
  await("b\n");
  world.folder.write("first", "");
  await("e\n");
  world.folder.write("second", "");
  await("f\n");
  EXPECT_EQ(log,
            "a\nb\n... trainmake: lines may be missing here, which UAI-Train did not tell ...\nd\ne\nf\n");
}

TEST(UaiPlatform, AJobGoesOnFromACheckpointThatIsPutIntoItsFolder) {
  UaiWorld world;
  JobSpec spec =
      UaiWorld::spec(1, "mkdir -p /data/output/checkpoint/deep; echo one > /data/output/checkpoint/deep/c");
  spec.resume = true;
  const JobHandle first = world.submit(spec);
  world.await_end(first);
  const std::string left = *world.platform.left(first, {Left::kCheckpoint});
  EXPECT_EQ(*read_file(real_file_system(), path_join(left, "deep/c")), "one\n");
  auto kept = keep_checkpoint(real_file_system(), world.blobs, {left}, {});
  ASSERT_TRUE(kept && *kept);
  ASSERT_TRUE(world.platform.settled(first, RunStatus::kSucceeded, {}));
  EXPECT_FALSE(real_file_system().look(left)->exists());

  spec = UaiWorld::spec(
      2,
      "cat /data/output/checkpoint/deep/c > /data/output/o.txt; echo two >> /data/output/checkpoint/deep/c");
  spec.resume = true;
  spec.outputs = {{"o", "o.txt"}};
  spec.resumed = **kept;
  const JobHandle second = world.submit(spec);
  world.await_end(second);
  EXPECT_EQ(*read_file(real_file_system(), path_join(*world.platform.left(second, {Left::kOutput}), "o.txt")),
            "one\n");
  EXPECT_EQ(
      *read_file(real_file_system(), path_join(*world.platform.left(second, {Left::kCheckpoint}), "deep/c")),
      "one\ntwo\n");
}

TEST(UaiPlatform, ACheckpointThatCannotLieInAStoreStartsNothing) {
  UaiWorld world;
  JobSpec spec = UaiWorld::spec(1, "true");
  spec.resume = true;
  Listing listing(1);
  listing[0].key = "latest";
  listing[0].link_target = "step-5";
  spec.resumed = Checkpoint{"run0", "", std::make_shared<const Listing>(listing)};
  const auto refused = world.platform.submit(spec, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("has a link, `latest`"), std::string::npos);
  spec.resumed->files = nullptr;
  EXPECT_NE(world.platform.submit(spec, {}).error().message.find("no longer in the cache"),
            std::string::npos);
  EXPECT_TRUE(world.uai.created.empty());
}

TEST(UaiPlatform, WhatWasNotDeclaredStaysInTheBucket) {
  UaiWorld world;
  JobSpec spec = UaiWorld::spec(1,
                                "mkdir /data/output/checkpoint; echo x > /data/output/checkpoint/c; "
                                "mkdir /data/output/sub; echo y > /data/output/sub/y; "
                                "echo 1 > /data/output/metrics.csv; echo z > /data/output/sub.txt");
  spec.outputs = {{"all", "sub"}};
  const JobHandle job = world.submit(spec);
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  FileSystem& files = real_file_system();
  const std::string folder = *world.platform.left(job, {Left::kOutput});
  EXPECT_EQ(*read_file(files, path_join(folder, "sub/y")), "y\n");
  for (const char* other : {"checkpoint", "metrics.csv", "sub.txt"})
    EXPECT_FALSE(files.look(path_join(folder, other))->exists()) << other;
  EXPECT_EQ(*world.platform.left(job, {Left::kOutput, {"metrics.csv"}}), folder);
  EXPECT_EQ(*read_file(files, path_join(folder, "metrics.csv")), "1\n");
}

TEST(UaiPlatform, WhatAJobHasByNowIsNotWhatItLeaves) {
  UaiWorld world;
  JobSpec spec = UaiWorld::spec(1, "sleep 1; echo late > /data/output/o.txt");
  spec.outputs = {{"o", "o.txt"}};
  const JobHandle job = world.submit(spec);
  ASSERT_TRUE(world.platform.left(job, {Left::kOutput, {"o.txt"}}));
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  const std::string folder = *world.platform.left(job, {Left::kOutput});
  EXPECT_EQ(*read_file(real_file_system(), path_join(folder, "o.txt")), "late\n");
}

TEST(UaiPlatform, FactsSayWhatElseThereIsToKnow) {
  UaiWorld world;
  const JobHandle job = world.submit(UaiWorld::spec(1, "sleep 5"));
  std::map<std::string, std::string> facts;
  const auto told = world.platform.facts(job, {});
  ASSERT_TRUE(told);
  for (const auto& [name, text] : *told) facts[name] = text;
  EXPECT_EQ(facts["cost"], "12.34 yuan");
  EXPECT_EQ(facts["tensorboard"], "http://tb/");
  EXPECT_EQ(facts["memo"], "//job:j");
}

}  // namespace
}  // namespace trainmake
