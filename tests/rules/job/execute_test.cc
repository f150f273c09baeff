// Runs of a job against the fake platform: what is asked of it and remembered, whatever happens in between.
#include "rules/job/readers.h"
#include "rules/job/runs.h"
#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

Value command(std::vector<std::string> words) { return list_of(std::move(words)); }

// A file system's clock may lag behind, by less than a tick.
void wait_for_the_file_clock(const ScratchFolder& folder, std::int64_t until_ns) {
  do {
    folder.write("clock", "");
  } while (real_file_system().look(folder.path("clock"))->ctime_ns < until_ns);
}

Record record_of(JobWorld& world, const Done& done) {
  Record record;
  record.label = world.job().label;
  record.artifacts = done.artifacts;
  record.run = done.run;
  return record;
}

TEST(JobRun, ASuccessLeavesItsOutputsAndARun) {
  JobWorld world;
  world.set("command", command({"succeed", "loss=0.9", "loss=0.5", "loss=nan"}));
  world.set("metrics", table_of({{"loss", value_of(std::string("loss=([%d.]+)"))}}));
  world.set("params", table_of({{"lr", value_of(0.1)}}));
  const auto done = world.execute();
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->artifacts.size(), 1U);
  EXPECT_EQ(done->artifacts[0].role, "model");
  EXPECT_EQ(done->artifacts[0].sha256, sha256_of("result").hex());
  EXPECT_EQ(done->artifacts[0].address, cat("blob:", sha256_of("result").hex()));
  EXPECT_NE(done->note.find("loss 0.5"), std::string::npos) << done->note;
  ASSERT_EQ(world.runs.runs.size(), 1U);
  const auto& run = world.runs.runs[0];
  EXPECT_EQ(run.id, done->run);
  EXPECT_EQ(run.status, RunStatus::kSucceeded);
  EXPECT_EQ(run.metrics, (std::map<std::string, double>{{"loss", 0.5}}));
  EXPECT_EQ(run.params_json, R"({"lr":0.1})");
  EXPECT_EQ(run.outputs.at(0).path, "model.txt");
  EXPECT_EQ(world.tally.submitted, 1U);
  EXPECT_EQ(world.lines(), (std::vector<std::string>{"hello", "loss=0.9", "loss=0.5", "loss=nan"}));
}

TEST(JobRun, OutputsAreOnTheDiskBeforeTheRunIsRememberedAsOver) {
  JobWorld world;
  world.set("command", command({"succeed"}));
  int ends = 0;
  world.runs.on_put = [&](const trainmake::Run& run) {
    if (!is_over(run.status)) return;
    ++ends;
    EXPECT_TRUE(world.blob_files.synced.contains(world.blobs.path(sha256_of("result"))));
  };
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(ends, 1);
}

TEST(JobRun, MetricsThatStandInALogWhichCannotBeReadAreReadLater) {
  JobWorld world;
  world.set("command", command({"succeed", "loss=0.5"}));
  world.set("metrics", table_of({{"loss", value_of(std::string("loss=([%d.]+)"))}}));
  world.platform.failing_logs = true;
  world.platform.ended_ns = real_clock().now_ns();
  const auto failed = world.execute();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().blame, Blame::kRemote);
  EXPECT_NE(failed.error().message.find("cannot be read to its end: The platform tells of no log"),
            std::string::npos);
  EXPECT_FALSE(is_over(world.runs.runs.at(0).status)) << "it is concluded later";
  world.platform.failing_logs = false;
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.runs.runs.at(0).metrics, (std::map<std::string, double>{{"loss", 0.5}}));
  EXPECT_EQ(world.platform.starts, 1);
}

TEST(JobRun, ALogThatCannotBeReadForLongIsSaid) {
  JobWorld world;
  world.set("metrics", table_of({{"loss", value_of(std::string("loss=([%d.]+)"))}}));
  world.platform.failing_logs = true;
  world.platform.ended_ns = real_clock().now_ns() - 7'200'000'000'000;
  EXPECT_TRUE(world.execute());
  EXPECT_NE(world.messages().find("cannot be read to its end"), std::string::npos) << world.messages();
}

TEST(JobRun, ALogThatTellsNoMetricHoldsUpNoResult) {
  JobWorld world;
  world.platform.failing_logs = true;
  EXPECT_TRUE(world.execute());
  EXPECT_NE(world.messages().find("cannot be read to its end"), std::string::npos) << world.messages();
}

TEST(JobRun, TheIntentIsRememberedBeforeThePlatformIsAsked) {
  JobWorld world;
  world.runs.failing = true;
  EXPECT_FALSE(world.execute());
  EXPECT_EQ(world.platform.starts, 0);
}

TEST(JobRun, AnIntentWithoutASubmissionIsCompleted) {
  JobWorld world;
  world.platform.failing_submits = 1;  // as if the client or the network had died there
  EXPECT_FALSE(world.execute());
  ASSERT_EQ(world.runs.runs.size(), 1U);
  EXPECT_EQ(world.runs.runs[0].status, RunStatus::kQueued);
  world.runs.runs[0].provenance_json = "{}";  // what it was to be given then
  world.platform.failing_submits = 1;
  EXPECT_FALSE(world.execute());
  EXPECT_NE(world.runs.runs[0].provenance_json, "{}") << "what it is given is remembered before it may start";
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.runs.runs.size(), 1U);
  EXPECT_EQ(world.platform.starts, 1);
}

TEST(JobRun, WhyAnIntentWasNotHandedOverIsToldOnceNobodyIsAtIt) {
  JobWorld world;
  world.platform.failing_submits = 1;
  EXPECT_FALSE(world.execute());
  const auto now = [&](bool is_left) {
    return settle(world.platform, real_clock(), world.runs.runs.at(0), {}, [=] { return is_left; });
  };
  EXPECT_EQ(now(false).status, RunStatus::kQueued) << "another trainmake is about to hand it over";
  world.platform.may_appear = true;
  EXPECT_EQ(now(true).status, RunStatus::kQueued) << "it may still come";
  world.platform.may_appear = false;
  EXPECT_EQ(now(true).status, RunStatus::kLost);
  EXPECT_EQ(now(true).reason, "it was not handed over: The platform refused");
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.runs.runs.size(), 1U);
  EXPECT_EQ(world.runs.runs[0].reason, "");
}

TEST(JobRun, AnIntentThatThePlatformHasIsNotCalledLost) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  auto intent = world.runs.runs.at(0);
  intent.status = RunStatus::kQueued;
  intent.job.clear();  // its answer was lost
  EXPECT_EQ(settle(world.platform, real_clock(), intent, {}, [] { return true; }).status,
            RunStatus::kRunning);
}

TEST(JobRun, ARefusedSubmissionDidNotStartAndMayBeTriedAgain) {
  JobWorld world;
  world.platform.failing_submits = 1;
  world.platform.submit_blame = Blame::kStep;
  EXPECT_FALSE(world.execute());
  EXPECT_EQ(world.runs.runs[0].status, RunStatus::kFailed);
  EXPECT_FALSE(*world.rule().failed_before(world.subject(), *world.describe()));
  EXPECT_TRUE(world.execute());
}

TEST(JobRun, AJobThatOutlivedItsClientIsTakenUp) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.wait = false;
  const auto left = world.execute();
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->detached);
  EXPECT_EQ(world.tally.submitted, 1U);
  EXPECT_NE(world.messages().find("trainmake attach job:j"), std::string::npos) << world.messages();
  world.platform.release();
  world.wait = true;
  const auto done = world.execute();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->run, left->run);
  EXPECT_EQ(world.platform.starts, 1);
  EXPECT_EQ(world.tally.submitted, 1U);
  EXPECT_EQ(world.runs.runs.size(), 1U);
}

TEST(JobRun, WhoForcesItIsNotGivenOneThatHadEnded) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  world.platform.release();
  world.wait = world.retry = true;
  world.clock.on_wait = [&] { world.platform.release(); };
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
  ASSERT_EQ(world.runs.runs.size(), 2U);
  for (const auto& run : world.runs.runs) EXPECT_EQ(run.status, RunStatus::kSucceeded);
}

TEST(JobRun, WhoTriesAgainIsNotGivenOneThatHadComeToNothing) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  ASSERT_TRUE(world.platform.cancel(JobHandle::of(world.runs.runs[0])));
  world.wait = world.tries_again = true;
  world.clock.on_wait = [&] { world.platform.release(); };
  const auto done = world.execute();
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(world.runs.runs.size(), 2U);
  EXPECT_EQ(world.runs.runs[1].status, RunStatus::kCancelled);
  EXPECT_EQ(world.platform.starts, 2);
}

TEST(JobRun, TakingUpAJobNeedsNoneOfItsSecrets) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.set("secrets", list_of({"TOKEN"}));
  world.environment.variables["TOKEN"] = "s3cr3t";
  world.wait = false;
  ASSERT_TRUE(world.execute());
  world.environment.variables.clear();
  world.platform.release();
  world.wait = true;
  EXPECT_TRUE(world.execute());
}

TEST(JobRun, AStopLeavesTheJobRunning) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.clock.on_wait = [&] { world.stop.request_stop(); };
  const auto left = world.execute();
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->detached);
  EXPECT_EQ(settle(world.platform, world.clock, world.runs.runs[0]).status, RunStatus::kRunning);
}

TEST(JobRun, ASuccessThatWasNotRecordedIsTakenWithoutASubmission) {
  JobWorld world;
  const auto first = world.execute();
  ASSERT_TRUE(first);
  const auto second = world.execute();  // as after a crash before the record was written
  ASSERT_TRUE(second);
  EXPECT_EQ(second->artifacts, first->artifacts);
  EXPECT_EQ(second->run, first->run);
  EXPECT_EQ(world.tally.submitted, 1U);
}

TEST(JobRun, ForcedItRunsAfresh) {
  JobWorld world;
  ASSERT_TRUE(world.execute());
  world.retry = true;
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
  EXPECT_EQ(world.runs.runs[0].attempt, 2);
  EXPECT_NE(world.runs.runs[0].id, world.runs.runs[1].id);
}

TEST(JobRun, AFailureIsNotTriedAgainAndSaysWhy) {
  JobWorld world;
  world.set("command", command({"fail", "a bad word"}));
  const auto done = world.execute();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().blame, Blame::kStep);
  EXPECT_NE(done.error().message.find("exit code 3"), std::string::npos) << done.error().message;
  EXPECT_NE(done.error().message.find("a bad word"), std::string::npos);
  const auto before = world.rule().failed_before(world.subject(), *world.describe());
  ASSERT_TRUE(before && *before);
  EXPECT_NE((*before)->message.find("a bad word"), std::string::npos);
  EXPECT_NE((*before)->message.find("nothing changed since"), std::string::npos);
  EXPECT_NE((*before)->hint.find("`trainmake job:j --platform fake --retry`"), std::string::npos)
      << (*before)->hint;
  EXPECT_NE(done.error().hint.find("`trainmake job:j --platform fake --retry`"), std::string::npos);
  world.space.default_platform = "fake";
  EXPECT_NE((*world.rule().failed_before(world.subject(), *world.describe()))
                ->hint.find("`trainmake job:j --retry`"),
            std::string::npos);
}

TEST(JobRun, AFailureIsToldWithTheLimitsThatWereEditedSince) {
  JobWorld world;
  const auto give = [&](const char* memory, Value timeout) {
    world.set("resources", table_of({{"memory", value_of(std::string(memory))}}));
    world.set("timeout", std::move(timeout));
  };
  world.set("command", command({"fail"}));
  give("100M", Value());
  ASSERT_FALSE(world.execute());
  give("1G", value_of(std::string("2m")));
  const auto before = world.rule().failed_before(world.subject(), *world.describe());
  ASSERT_TRUE(before && *before);
  EXPECT_NE((*before)->message.find(
                "; memory is 1G now, was 100M, timeout is 2 min 0 s now, was not limited, but limits "
                "are no part of a result, so it was not tried again"),
            std::string::npos)
      << (*before)->message;
  EXPECT_NE((*before)->hint.find("--retry` tries with that"), std::string::npos) << (*before)->hint;
}

TEST(JobRun, OptionsOfAnotherPlatformAreToldToBeWithoutEffect) {
  JobWorld world;
  world.set("resources",
            table_of({{"node_type", value_of(std::string("1-P40"))}, {"hours", value_of(std::int64_t{2})}}));
  ASSERT_TRUE(world.execute());
  EXPECT_NE(
      world.messages().find("`node_type` is an option of uai, and without effect on platform `fake`; `gpus`"),
      std::string::npos)
      << world.messages();
  EXPECT_NE(world.messages().find("`hours` is an option of uai"), std::string::npos);
}

TEST(JobRun, OptionsOfAPlatformThatIsDeclaredTooAreNotToldOf) {
  JobWorld world;
  Service cloud;
  cloud.kind = "platform";
  cloud.name = "cloud";
  cloud.attributes = *table_of({{"type", value_of(std::string("uai"))}}).table();
  world.space.services.push_back(cloud);
  world.set("resources", table_of({{"node_type", value_of(std::string("1-P40"))}}));
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.messages(), "");
}

TEST(JobRun, RetriesAreNewAttempts) {
  JobWorld world;
  world.set("command", command({"fail"}));
  world.set("retries", value_of(std::int64_t{2}));
  EXPECT_FALSE(world.execute());
  EXPECT_EQ(world.platform.starts, 3);
  EXPECT_EQ(world.tally.submitted, 3U);
  EXPECT_EQ(world.runs.runs.size(), 3U);
}

TEST(JobRun, TriesOfEarlierClientsCount) {
  JobWorld world;
  world.set("command", command({"fail"}));
  EXPECT_FALSE(world.execute());  // one, and nobody went on with the others
  world.set("retries", value_of(std::int64_t{2}));
  const auto before = world.rule().failed_before(world.subject(), *world.describe());
  ASSERT_TRUE(before);
  EXPECT_FALSE(*before);
  EXPECT_FALSE(world.execute());
  EXPECT_EQ(world.runs.runs.size(), 3U);
  EXPECT_TRUE(*world.rule().failed_before(world.subject(), *world.describe()));
  world.set("retries", value_of(std::int64_t{0}));
  EXPECT_FALSE(world.execute());  // asked for again, and left after its first try
  EXPECT_EQ(world.runs.runs.size(), 4U);
  world.set("retries", value_of(std::int64_t{2}));
  EXPECT_FALSE(*world.rule().failed_before(world.subject(), *world.describe()));
  EXPECT_FALSE(world.execute());
  EXPECT_EQ(world.runs.runs.size(), 6U);
  EXPECT_TRUE(*world.rule().failed_before(world.subject(), *world.describe()));
}

TEST(JobRun, AnEndIsNoticedSoonAndALongJobIsSeldomLookedAt) {
  struct Case {
    std::int64_t ms, latest_ms;
    int polls;
  };
  constexpr std::int64_t kHour = 3'600'000;
  for (const Case& each : {Case{100, 20, 20}, Case{1500, 50, 100}, Case{kHour, 500, 8000}}) {
    JobWorld world;
    world.set("command", command({"wait"}));
    world.clock.on_wait = [&] {
      if (world.clock.waited_ns >= each.ms * 1'000'000) world.platform.release();
    };
    ASSERT_TRUE(world.execute());
    EXPECT_LE(world.clock.waited_ns / 1'000'000, each.ms + each.latest_ms) << each.ms;
    EXPECT_LE(world.platform.polls, each.polls) << each.ms;
  }
}

TEST(JobRun, AFailedStatusCallIsNoFailedJob) {
  JobWorld world;
  world.platform.failing_polls = 20;
  const auto done = world.execute();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_NE(world.messages().find("does not answer"), std::string::npos);
}

TEST(JobRun, AJobLostWhileNobodyLookedIsStartedAgain) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  world.platform.lose_all();
  world.platform.release();
  world.wait = true;
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
  EXPECT_EQ(world.runs.runs[1].status, RunStatus::kLost);
}

TEST(JobRun, ALostOneIsNotStartedAgainWhileSomethingOfItMayGoOn) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  world.platform.lose_all();
  world.platform.release();
  world.wait = true;
  world.platform.failing_cancels = 1;
  const auto done = world.execute();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "It cannot be ended");
  EXPECT_EQ(world.platform.starts, 1);
  EXPECT_FALSE(is_over(world.runs.runs[0].status)) << "or nobody would look after it";
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
}

TEST(JobRun, ALostOneEndsWhenThatIsSeen) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  world.platform.forget_all();
  const std::int64_t before = world.clock.now_ns();
  const auto lost = settle(world.platform, world.clock, world.runs.runs[0]);
  EXPECT_EQ(lost.status, RunStatus::kLost);
  EXPECT_GE(lost.ended_ns, before);
  EXPECT_EQ(lost.reason, "platform `fake` no longer knows it");
}

TEST(JobRun, AnOutputThatIsNotThereIsAFailure) {
  JobWorld world;
  world.set("command", command({"print"}));
  const auto done = world.execute();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("output `model` (model.txt) was not written"), std::string::npos)
      << done.error().message;
  EXPECT_EQ(world.runs.runs[0].status, RunStatus::kFailed);
}

TEST(JobRun, WhatTookLessThanASecondIsNotToldToHaveTakenNothing) {
  trainmake::Run run;
  run.started_ns = run.ended_ns = 5'000'000'000;
  EXPECT_EQ(success_of(run), "succeeded in less than 1 s");
}

TEST(JobRun, AnOutputThatCannotBeReadIsAFailureAndMayBeTriedAgain) {
  const auto make_loop = [](JobWorld& world, const char* at) {
    const std::filesystem::path link = world.folder.path(cat("fake/", world.runs.runs[0].id, "/", at));
    std::filesystem::create_directories(link.parent_path());
    std::filesystem::create_symlink(link.filename(), link);
  };
  for (const char* loop : {"ckpt", "ckpt/loop"}) {
    JobWorld world;
    world.set("outputs", table_of({{"model", value_of(std::string("ckpt"))}}));
    world.clock.on_wait = [&] {
      if (!std::filesystem::is_symlink(world.folder.path(cat("fake/", world.runs.runs[0].id, "/", loop))))
        make_loop(world, loop);
    };
    const auto done = world.execute();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().blame, Blame::kStep);
    EXPECT_NE(done.error().message.find("output `model` (ckpt) cannot be kept"), std::string::npos)
        << done.error().message;
    EXPECT_EQ(world.runs.runs[0].status, RunStatus::kFailed);
    EXPECT_TRUE(*world.rule().failed_before(world.subject(), *world.describe()));
    world.clock.on_wait = nullptr;
    world.retry = true;
    EXPECT_TRUE(world.execute()) << loop;
    EXPECT_EQ(world.platform.starts, 2);
  }
}

TEST(JobRun, AResultThatCannotBeKeptNowIsKeptTheNextTime) {
  JobWorld world;
  const std::string of_output = cat("cache/blobs/sha256/", sha256_of("result").hex().substr(0, 2));
  world.folder.write(of_output, "in the way");
  EXPECT_FALSE(world.execute());
  ASSERT_EQ(world.runs.runs.size(), 1U);
  EXPECT_FALSE(is_over(world.runs.runs[0].status));
  std::filesystem::remove(world.folder.path(of_output));
  const auto done = world.execute();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(world.platform.starts, 1);
}

TEST(JobRun, AStopWhileAResultIsKeptLeavesItToTheNextTime) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  world.platform.release();
  world.stop.request_stop();
  const auto stopped = world.execute();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().blame, Blame::kInterrupted);
  EXPECT_FALSE(is_over(world.runs.runs[0].status));
  world.stop = std::stop_source();
  world.wait = true;
  EXPECT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 1);
}

TEST(JobRun, AFolderAsAnOutputIsEveryFileInIt) {
  JobWorld world;
  world.set("outputs", table_of({{"model", value_of(std::string("ckpt/last.bin"))},
                                 {"all", value_of(std::string("ckpt"))}}));
  const auto done = world.execute();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_NE(find_role(done->artifacts, "model"), nullptr);
  EXPECT_NE(find_role(done->artifacts, "all/last.bin"), nullptr);
  EXPECT_EQ(world.runs.runs[0].outputs[0].path, "ckpt/last.bin");
}

TEST(JobRun, DataThatChangedUnderAJobMakesItsResultNobodys) {
  JobWorld world;
  world.need("data", JobWorld::kData);
  world.give_data(JobWorld::kData, {{"d.txt", "one\n"}, {"e.txt", "same\n"}});
  world.set("command", command({"wait"}));
  world.clock.on_wait = [&] {
    world.folder.write("d.txt", "two\n");
    world.platform.release();
  };
  const auto done = world.execute();
  ASSERT_FALSE(done);
  EXPECT_EQ(world.runs.runs[0].status, RunStatus::kSucceeded);
  EXPECT_FALSE(world.runs.runs[0].reusable);
  EXPECT_EQ(world.runs.runs[0].reason, "`d.txt` changed while the job read it");
  EXPECT_FALSE(*world.rule().failed_before(world.subject(), *world.describe()));
  world.folder.write("d.txt", "one\n");
  world.clock.on_wait = nullptr;
  EXPECT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
}

TEST(JobRun, AClockBehindThatOfTheFilesDoubtsNothing) {
  JobWorld world;
  world.need("data", JobWorld::kData);
  world.give_data(JobWorld::kData, {{"d.txt", "one\n"}});
  world.clock.behind_ns = std::chrono::nanoseconds(std::chrono::hours(1)).count();
  EXPECT_TRUE(world.execute());
  EXPECT_TRUE(world.runs.runs[0].reusable) << world.runs.runs[0].reason;
}

TEST(JobRun, DataThatChangedAndChangedBackIsDoubtful) {
  JobWorld world;
  world.need("data", JobWorld::kData);
  world.give_data(JobWorld::kData, {{"d.txt", "one\n"}, {"e.txt", "same\n"}});
  const std::filesystem::path file = world.folder.path("d.txt");
  const auto mtime = std::filesystem::last_write_time(file);
  world.set("command", command({"wait"}));
  world.clock.on_wait = [&] {
    wait_for_the_file_clock(world.folder, world.runs.runs[0].created_ns);
    world.folder.write("d.txt", "two\n");
    world.folder.write("d.txt", "one\n");
    std::filesystem::last_write_time(file, mtime);
    world.platform.release();
  };
  EXPECT_FALSE(world.execute());
  EXPECT_EQ(world.runs.runs[0].status, RunStatus::kSucceeded);
  EXPECT_FALSE(world.runs.runs[0].reusable);
  EXPECT_TRUE(world.runs.runs[0].reason.starts_with("`d.txt` was written, moved or touched"))
      << world.runs.runs[0].reason;
}

TEST(JobRun, ALinkThatLedElsewhereForAWhileIsDoubtful) {
  JobWorld world;
  world.need("data", JobWorld::kData);
  world.folder.write("a.txt", "one\n");
  world.folder.write("b.txt", "two\n");
  std::filesystem::create_symlink("a.txt", world.folder.path("d.txt"));
  world.give_data(JobWorld::kData, {{"d.txt", "one\n"}});
  world.set("command", command({"wait"}));
  world.clock.on_wait = [&] {
    wait_for_the_file_clock(world.folder, world.runs.runs[0].created_ns);
    for (const char* to : {"b.txt", "a.txt"}) {
      std::filesystem::remove(world.folder.path("d.txt"));
      std::filesystem::create_symlink(to, world.folder.path("d.txt"));
    }
    world.platform.release();
  };
  EXPECT_FALSE(world.execute());
  EXPECT_FALSE(world.runs.runs[0].reusable);
}

// A job that reads `data/sub/d.txt`, and waits until `meanwhile` was done.
struct WorldWithAFolder : JobWorld {
  explicit WorldWithAFolder(std::function<void(const std::filesystem::path&)> meanwhile) {
    need("data", kData);
    give_data(kData, {{"data/sub/d.txt", "one\n"}});
    folder.write("data2/sub/d.txt", "two\n");
    set("command", command({"wait"}));
    clock.on_wait = [this, meanwhile = std::move(meanwhile)] {
      wait_for_the_file_clock(folder, runs.runs[0].created_ns);
      meanwhile(folder.path());
      platform.release();
    };
  }
};

void swap_and_swap_back(const std::filesystem::path& root) {
  for (int i = 0; i < 2; ++i) {
    std::filesystem::rename(root / "data", root / "aside");
    std::filesystem::rename(root / "data2", root / "data");
    std::filesystem::rename(root / "aside", root / "data2");
  }
}

TEST(JobRun, AFolderThatWasSwappedForAWhileIsDoubtful) {
  WorldWithAFolder world(swap_and_swap_back);
  EXPECT_FALSE(world.execute());
  EXPECT_FALSE(world.runs.runs[0].reusable);
  EXPECT_TRUE(world.runs.runs[0].reason.starts_with("`data` was written, moved or touched"))
      << world.runs.runs[0].reason;
}

TEST(JobRun, SoItIsForWhoeverTakesTheRunUp) {
  WorldWithAFolder world(swap_and_swap_back);
  world.wait = false;
  ASSERT_TRUE(world.execute());
  world.clock.on_wait();
  world.wait = true;
  EXPECT_FALSE(world.execute());
  EXPECT_FALSE(world.runs.runs[0].reusable);
}

TEST(JobRun, AFolderLinkThatLedElsewhereForAWhileIsDoubtful) {
  WorldWithAFolder world([](const std::filesystem::path& root) {
    for (const char* to : {"data2", "data1"}) {
      std::filesystem::remove(root / "data");
      std::filesystem::create_directory_symlink(to, root / "data");
    }
  });
  std::filesystem::rename(world.folder.path("data"), world.folder.path("data1"));
  std::filesystem::create_directory_symlink("data1", world.folder.path("data"));
  EXPECT_FALSE(world.execute());
  EXPECT_FALSE(world.runs.runs[0].reusable);
}

void swap_and_leave_traces(const std::filesystem::path& root) {
  swap_and_swap_back(root);
  std::ofstream(root / "data/other") << "other";
  std::filesystem::remove(root / "data/other");
}

// Whether the job's result is taken, that was watched all the time or taken up at its end.
bool is_taken_after(const std::function<void(const std::filesystem::path&)>& meanwhile, bool is_watched) {
  WorldWithAFolder world(meanwhile);
  world.wait = is_watched;
  (void)world.execute();
  if (!is_watched) world.clock.on_wait();
  world.wait = true;
  (void)world.execute();
  return world.runs.runs.back().reusable;
}

// An entry made afterwards gives the folder the times of one that was never elsewhere.
TEST(JobRun, AFolderThatWasSwappedBeforeAnEntryWasMadeInItIsDoubtful) {
  for (const bool is_watched : {true, false}) EXPECT_FALSE(is_taken_after(swap_and_leave_traces, is_watched));
}

TEST(JobRun, WhatComesAndGoesBesideTheDataDoubtsNothing) {
  const auto in_all = [](const std::filesystem::path& root) {
    for (const char* name : {"data/other", "data/sub/other", "data/sub/gone"})
      std::ofstream(root / name) << name;
    std::filesystem::remove(root / "data/sub/gone");
    std::filesystem::create_directory(root / "data/more");
  };
  const auto in_one = [](const std::filesystem::path& root) {
    std::ofstream(root / "data/sub/other") << "other";
    std::filesystem::create_directory(root / "data/sub/more");
  };
  EXPECT_TRUE(is_taken_after(in_all, true));
  EXPECT_TRUE(is_taken_after(in_one, true));
  EXPECT_TRUE(is_taken_after(in_one, false));
  // It might have been swapped, and nobody listened.
  EXPECT_FALSE(is_taken_after(in_all, false));
}

TEST(JobRun, AFolderWhoseModeChangedWasNowhereElse) {
  const auto closed = [](const std::filesystem::path& root) {
    std::filesystem::permissions(root / "data/sub", std::filesystem::perms::owner_all);
  };
  for (const bool is_watched : {true, false}) EXPECT_TRUE(is_taken_after(closed, is_watched));
}

TEST(JobRun, AFolderAboveWhatALinkLeadsToIsLookedAtToo) {
  const auto swapped = [](const std::filesystem::path& root) {
    std::filesystem::rename(root / "disk", root / "aside");
    std::filesystem::rename(root / "aside", root / "disk");
  };
  WorldWithAFolder world(swapped);
  std::filesystem::create_directory(world.folder.path("disk"));
  std::filesystem::rename(world.folder.path("data"), world.folder.path("disk/data"));
  std::filesystem::create_directory_symlink("disk/data", world.folder.path("data"));
  EXPECT_FALSE(world.execute());
  EXPECT_TRUE(world.runs.runs[0].reason.starts_with("`disk` was written, moved"))
      << world.runs.runs[0].reason;
}

// `data/sub/d.txt` is a link to `next/d.txt`, a link to `disk/a/d.txt`; `disk/b/d.txt` is another file.
std::string reason_after(const std::function<void(const std::filesystem::path&)>& meanwhile,
                         bool is_watched) {
  WorldWithAFolder world(meanwhile);
  const std::filesystem::path root = world.folder.path();
  std::filesystem::remove(root / "data/sub/d.txt");
  world.folder.write("disk/a/d.txt", "one\n");
  world.folder.write("disk/b/d.txt", "two\n");
  std::filesystem::create_directory(root / "next");
  std::filesystem::create_symlink("../disk/x/../a/d.txt", root / "next/d.txt");
  std::filesystem::create_directory(root / "disk/x");
  std::filesystem::create_symlink(root / "next/d.txt", root / "data/sub/d.txt");
  world.wait = is_watched;
  (void)world.execute();
  if (!is_watched) world.clock.on_wait();
  world.wait = true;
  (void)world.execute();
  return world.runs.runs.back().reason;
}

TEST(JobRun, WhatAFilesLinkLeadsToIsLookedAtOnAllItsWay) {
  const auto swapped = [](const char* one, const char* other) {
    return [=](const std::filesystem::path& root) {
      for (int i = 0; i < 2; ++i) {
        std::filesystem::rename(root / one, root / "aside");
        std::filesystem::rename(root / other, root / one);
        std::filesystem::rename(root / "aside", root / other);
      }
    };
  };
  const auto relinked = [](const std::filesystem::path& root) {
    for (const char* to : {"../disk/b/d.txt", "../disk/x/../a/d.txt"}) {
      std::filesystem::remove(root / "next/d.txt");
      std::filesystem::create_symlink(to, root / "next/d.txt");
    }
  };
  for (const bool is_watched : {true, false}) {
    const auto doubts = [&](const char* path, const std::function<void(const std::filesystem::path&)>& what) {
      const std::string reason = reason_after(what, is_watched);
      EXPECT_NE(reason.find(cat("`", path, "`")), reason.npos) << path << ": " << reason;
    };
    doubts("disk/a", swapped("disk/a", "disk/b"));
    doubts("disk", swapped("disk", "data2"));
    doubts("data/sub/d.txt", swapped("disk/a/d.txt", "disk/b/d.txt"));
    doubts("next/d.txt", relinked);
    EXPECT_EQ(reason_after([](const std::filesystem::path&) {}, is_watched), "");
  }
}

// A job that reads its data in a store, and what it heard of that.
struct StoreWorld : JobWorld {
  FakePlatform far{folder.path("far"), true};
  std::vector<std::string> checked;
  bool is_as_sent = true;
  std::string mark;  // of what lies there
  Result<bool> is_as_marked = true;
  std::string compared;

  StoreWorld() {
    give_data(kData, {{"a", "a"}});
    inputs.known[kData].push_back({"store", "b/d", "", 0, "store:b/d"});
    need("data", kData);
  }
  bool is_held = false;  // the job's step, by another trainmake
  std::optional<Run> reader(const std::string& store, const std::string& of_platform) {
    const auto hold = [&](const trainmake::Run&) -> Result<std::optional<FileLock>> {
      if (is_held) return std::optional<FileLock>();
      return real_file_system().lock(folder.path("step"), FileLock::Mode::kExclusive);
    };
    const Doing doing{{}, {}, [](const Event&) {}, tally, [](const auto& work) { work(); }};
    const auto found = reader_of({runs, clock, of_platform, far, hold}, store, doing);
    EXPECT_TRUE(found);
    return found.value_or(std::nullopt);
  }
  Result<Done> submit() {
    JobServices services{host,
                         workspace,
                         space,
                         "far",
                         blobs,
                         digests,
                         runs,
                         far,
                         "1",
                         [this](const Target& data, const std::string& root, const Doing&, const Listing*) {
                           checked.push_back(cat(data.label.text(), " ", root));
                           return is_as_sent ? Result<std::string>(mark) : fail(step_error("It is another"));
                         },
                         [this](const GivenTree& given) {
                           compared += cat(given.store, " ", given.mark, " ", given.files->size(), "\n");
                           return is_as_marked;
                         }};
    JobRule the_rule(services);
    TRY_ASSIGN(const Description description, the_rule.describe(subject()));
    const Doing doing{description.manifest.fingerprint(),
                      stop.get_token(),
                      [this](const Event& event) { events.push_back(event); },
                      tally,
                      [](const std::function<void()>& work) { work(); },
                      retry,
                      wait};
    return the_rule.execute(subject(), description, doing);
  }
};

TEST(JobRun, WhatLiesInAStoreIsLookedAtBeforeAJobIsSubmittedThatReadsIt) {
  StoreWorld world;
  world.is_as_sent = false;
  EXPECT_FALSE(world.submit());
  EXPECT_TRUE(world.runs.runs.empty()) << "nothing is meant to start yet";
  world.is_as_sent = true;
  EXPECT_TRUE(world.submit());
  const std::string root = find_role(world.inputs.known[JobWorld::kData], "tree")->identity;
  EXPECT_EQ(world.checked, (std::vector<std::string>(2, cat("//data:d ", root))));
  EXPECT_TRUE(world.execute()) << "one that reads it here asks no store";
  EXPECT_EQ(world.checked.size(), 2U);
}

TEST(JobRun, DataThatWasReplacedInItsStoreMakesAResultNobodys) {
  StoreWorld world;
  world.mark = "first";
  world.is_as_marked = false;
  const auto done = world.submit();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().hint.find("snapshot = true"), std::string::npos);
  EXPECT_EQ(world.runs.runs[0].status, RunStatus::kSucceeded);
  EXPECT_FALSE(world.runs.runs[0].reusable);
  EXPECT_EQ(world.runs.runs[0].reason, "`//data:d` was replaced in `b/d` while the job could read it");
  EXPECT_EQ(world.compared, "store:b/d first 1\n");

  world.mark = "second";
  world.is_as_marked = fail(user_error("Nobody answers").because(Blame::kRemote));
  const auto unknown = world.submit();
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().blame, Blame::kRemote);
  world.mark = "third";  // by now: what it was given is on its record
  world.is_as_marked = true;
  EXPECT_TRUE(world.submit());
  EXPECT_EQ(world.far.starts, 2) << "the second one was only concluded";
  EXPECT_EQ(world.compared, "store:b/d first 1\nstore:b/d second 1\nstore:b/d second 1\n");
}

TEST(JobRun, ARunInFlightIsKnownByWhatItReads) {
  StoreWorld world;
  world.set("command", list_of({"wait"}));
  world.wait = false;
  ASSERT_TRUE(world.submit());
  const auto reader = [&](const std::string& store, const std::string& platform) {
    return world.reader(store, platform);
  };
  ASSERT_TRUE(reader("store:b/d", "far"));
  EXPECT_EQ(reader("store:b/d", "far")->id, world.runs.runs[0].id);
  EXPECT_FALSE(reader("store:b/other", "far"));
  EXPECT_TRUE(reader("store:b/d", "another")) << "nobody can tell that it ended";
  ASSERT_TRUE(world.far.cancel(JobHandle::of(world.runs.runs[0])));
  EXPECT_FALSE(reader("store:b/d", "far")) << "it ended while nobody looked";
}

TEST(JobRun, ARunThatNeverStartedReadsNothing) {
  StoreWorld world;
  world.set("command", list_of({"wait"}));
  world.far.failing_submits = 1;
  ASSERT_FALSE(world.submit()) << "nobody knows whether it started";
  world.far.may_appear = true;
  EXPECT_TRUE(world.reader("store:b/d", "far")) << "it may still come";
  world.far.may_appear = false;
  world.is_held = true;
  EXPECT_TRUE(world.reader("store:b/d", "far")) << "another trainmake is about to start it";
  world.is_held = false;
  EXPECT_FALSE(world.reader("store:b/d", "far"));
  EXPECT_EQ(world.runs.runs[0].status, RunStatus::kLost);
  EXPECT_EQ(world.far.starts, 0);
  world.wait = false;
  EXPECT_TRUE(world.submit());
  EXPECT_EQ(world.runs.runs.size(), 2U) << "what is asked for again is a run of its own";
}

TEST(JobRun, OnlyDataThatIsSaidToLieElsewhereIsReadFromElsewhere) {
  JobWorld world;
  world.folder.write("set/a", "a");
  ListedFile file;
  file.key = "a";
  file.source = world.folder.path("set/a");
  file.size = 1;
  ContentHasher hasher;
  hasher.add("a");
  file.content = hasher.finish();
  world.inputs.known[JobWorld::kData] = {world.listing_artifact("tree", {file})};
  world.need("data", JobWorld::kData);
  const auto refused = world.execute();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("no longer in the cache"), std::string::npos);
  world.graph.targets[JobWorld::kData].attributes =
      *table_of({{"url", value_of(cat("dir:", world.folder.path("set")))}}).table();
  EXPECT_TRUE(world.execute());
}

TEST(JobRun, ASecretIsGivenAndNotTold) {
  JobWorld world;
  world.set("secrets", list_of({"TOKEN"}));
  const auto without = world.execute();
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().blame, Blame::kUser);
  EXPECT_NE(without.error().message.find("`TOKEN`"), std::string::npos);
  EXPECT_TRUE(world.runs.runs.empty());
  world.environment.variables["TOKEN"] = "psst!";  // short enough to stand in params by chance
  world.set("command", command({"fail", "it is psst!"}));
  world.set("params", table_of({{"p", value_of(std::string("psst!"))}}));
  const auto done = world.execute();
  ASSERT_FALSE(done);
  EXPECT_EQ(world.platform.secrets_of(world.runs.runs[0].key), (Secrets{{"TOKEN", "psst!"}}));
  EXPECT_EQ(world.lines().back(), "it is ***");
  EXPECT_EQ(world.runs.runs[0].params_json, R"({"p":"***"})");
  EXPECT_EQ(done.error().message.find("psst!"), std::string::npos);
  EXPECT_EQ(world.runs.runs[0].provenance_json.find("psst!"), std::string::npos);
}

TEST(JobRun, ARunThatNobodyWatchesTellsItsMetricsFromItsLog) {
  JobWorld world;
  world.set("command", command({"wait", "loss=0.5", "loss=0.25"}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  const Value declared = table_of({{"loss", value_of(std::string("loss=([%d.]+)"))}});
  EXPECT_EQ(metrics_told(world.platform, world.host.files, world.space, world.runs.runs[0],
                         Metrics::of(&declared), {})
                .values(),
            (std::map<std::string, double>{{"loss", 0.25}}));
}

TEST(JobRun, AFewStepsThatFailHereSubmitNothing) {
  JobWorld world;
  auto here = std::make_shared<FakePlatform>(world.folder.path("here"));
  world.rehearsal = here;
  world.set("command", command({"fail", "oh dear"}));
  world.set("preflight", table_of({{"steps", value_of(std::int64_t{1})}}));
  const auto done = world.execute();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("Preflight of `job:j` failed: exit code 3"), std::string::npos);
  EXPECT_NE(done.error().message.find("oh dear"), std::string::npos);
  EXPECT_EQ((std::pair(here->starts, world.platform.starts)), (std::pair(1, 0)));
  EXPECT_TRUE(world.runs.runs.empty());
}

TEST(JobRun, AFewStepsThatPassedAreNotDoneAgain) {
  JobWorld world;
  auto here = std::make_shared<FakePlatform>(world.folder.path("here"));
  world.rehearsal = here;
  world.set("preflight", table_of({{"steps", value_of(std::int64_t{1})}}));
  ASSERT_TRUE(world.execute());
  world.retry = true;  // afresh
  ASSERT_TRUE(world.execute());
  EXPECT_EQ((std::pair(here->starts, world.platform.starts)), (std::pair(1, 2)));
  world.set("preflight", table_of({{"steps", value_of(std::int64_t{2})}}));
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(here->starts, 2);
}

TEST(JobRun, AMetricThatFoundNothingIsTold) {
  JobWorld world;
  world.set("command", command({"succeed", "no loss"}));
  world.set("metrics", table_of({{"loss", value_of(std::string("loss=([%d.]+)"))}}));
  ASSERT_TRUE(world.execute());
  EXPECT_NE(world.messages().find("`loss` found no number"), std::string::npos) << world.messages();
}

TEST(JobRun, ACancelledRunIsOverAndNotTriedAgain) {
  JobWorld world;
  world.set("command", command({"wait"}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  const auto run = cancel(world.platform, world.clock, world.runs.runs[0]);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->status, RunStatus::kCancelled);
  ASSERT_TRUE(world.runs.put(*run));
  EXPECT_TRUE(*world.rule().failed_before(world.subject(), *world.describe()));
}

TEST(JobHolds, WhileItsBlobsAreWhole) {
  JobWorld world;
  const auto done = world.execute();
  ASSERT_TRUE(done);
  Looks looks;
  EXPECT_TRUE(*world.rule().holds(world.subject(), record_of(world, *done), true, looks));
  EXPECT_EQ(looks.files.size(), 1U);
  EXPECT_TRUE(looks.files[0].path.starts_with("cache/blobs/")) << looks.files[0].path;
  const std::string blob = world.blobs.path(sha256_of("result"));
  std::filesystem::permissions(blob, std::filesystem::perms::owner_all);
  std::ofstream(blob) << "rot";
  EXPECT_FALSE(*world.rule().holds(world.subject(), record_of(world, *done), true, looks));
  ASSERT_TRUE(world.execute());  // made again, in place of the damaged one
  EXPECT_TRUE(*world.rule().holds(world.subject(), record_of(world, *done), true, looks));
  EXPECT_EQ(world.platform.starts, 2);
}

TEST(JobHolds, NotWhenItsDataHadChanged) {
  JobWorld world;
  const auto done = world.execute();
  ASSERT_TRUE(done);
  world.runs.runs[0].reusable = false;
  Looks looks;
  EXPECT_FALSE(*world.rule().holds(world.subject(), record_of(world, *done), false, looks));
}

}  // namespace
}  // namespace trainmake
