// Jobs on a Slurm in memory: what reaches them, that each starts once whatever becomes of an answer, and how
// each end is told. What all platforms promise is in platforms_test.cc.
#include <gtest/gtest.h>

#include <thread>

#include "tests/rules/job/slurm_world.h"

namespace trainmake {
namespace {

int starts_of(const SlurmWorld& world) { return static_cast<int>(world.folder.read("starts").size()); }

JobSpec counted(const SlurmWorld& world, const std::string& script, int number = 1) {
  return script_spec(number, cat("printf x >> ", world.folder.path("starts"), "; ", script));
}

TEST(SlurmPlatform, RunsTheCodeThatWasSubmittedWithItsModesAndLinks) {
  SlurmWorld world;
  JobSpec spec = spec_named(1);
  ListedFile link;
  link.key = "link.sh";
  link.link_target = "sub/run.sh";
  link.mode = 0777;
  spec.code = std::make_shared<const Listing>(Listing{
      link,
      world.stored("sub/run.sh", "#!/bin/sh\ncat \"$PWD/text\"; pwd; echo new > text; touch made\n", 0755),
      world.stored("text", "words\n")});
  spec.main = "link.sh";
  const JobStatus status = world.run(spec);
  EXPECT_EQ(status.status, RunStatus::kSucceeded) << status.reason;
  EXPECT_EQ(world.log(spec), cat("words\n", world.run_of(spec).code(), "\n"));
  JobSpec again = spec;
  again.run = "run2";
  again.key = "trainmake-run2";
  world.run(again);
  EXPECT_EQ(world.log(again), cat("words\n", world.run_of(again).code(), "\n"));
}

TEST(SlurmPlatform, NothingLeaksIntoTheEnvironment) {
  SlurmWorld world;
  JobSpec spec = script_spec(1, "env | cut -d= -f1 | sort | tr '\\n' ' '");
  spec.environment = {{"MODE", "fast"}};
  world.run(spec);
  EXPECT_EQ(
      world.log(spec),
      "HOME LANG MODE PATH PWD SLURM_JOB_ID TRAINMAKE_CHECKPOINT_DIR TRAINMAKE_CODE_DIR TRAINMAKE_DATA_DIR "
      "TRAINMAKE_LABEL TRAINMAKE_LOG_DIR TRAINMAKE_OUTPUT_DIR TRAINMAKE_PARAMS TRAINMAKE_RUN ");
}

TEST(SlurmPlatform, DataAndWhatJobsLeftLieInTheFolderOfTheirChannel) {
  SlurmWorld world;
  JobSpec spec = script_spec(
      1, "cd $TRAINMAKE_DATA_DIR; cat a.txt deep/down/b.txt model/m.txt; test -w a.txt || echo no");
  spec.data = {SlurmWorld::tree({world.in_place("a.txt", "A\n"), world.in_place("deep/down/b.txt", "B\n")}),
               SlurmWorld::tree({world.stored("m.txt", "M\n")}, "model")};
  const JobStatus status = world.run(spec);
  EXPECT_EQ(status.status, RunStatus::kSucceeded) << world.log(spec);
  EXPECT_EQ(world.log(spec).substr(0, 6), "A\nB\nM\n");
}

TEST(SlurmPlatform, JobsShareOneCopyOfTheirDataAndItsTreesShareFiles) {
  SlurmWorld world;
  const ListedFile shared = world.in_place("a.txt", "A\n");
  for (int number = 1; number <= 3; ++number) {
    JobSpec spec = script_spec(number, "cat $TRAINMAKE_DATA_DIR/*");
    Listing listing = {shared};
    if (number == 3) listing.push_back(world.in_place("b.txt", "B\n"));
    spec.data = {SlurmWorld::tree(std::move(listing))};
    world.run(spec);
    EXPECT_EQ(world.log(spec), number == 3 ? "A\nB\n" : "A\n");
  }
  std::size_t files = 0, trees = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(world.folder.path("shared/content")))
    files += entry.is_regular_file() ? 1 : 0;
  for (const auto& entry : std::filesystem::directory_iterator(world.folder.path("shared/trees")))
    trees += entry.path().filename().string().starts_with("data-") ? 1 : 0;
  EXPECT_EQ(files, 2U);
  EXPECT_EQ(trees, 2U);
}

TEST(SlurmPlatform, DataThatChangedBeforeItWasCopiedIsAnErrorAndNothingStarts) {
  SlurmWorld world;
  JobSpec spec = counted(world, "true");
  spec.data = {SlurmWorld::tree({world.in_place("a.txt", "A\n")})};
  world.folder.write("a.txt", "B\n");
  const auto job = world.platform.submit(spec, {});
  ASSERT_FALSE(job);
  EXPECT_NE(job.error().message.find("`a.txt` of `//data:d` changed"), std::string::npos);
  EXPECT_NE(job.error().blame, Blame::kRemote);
  EXPECT_EQ(world.slurm.calls["sbatch"], 0);
}

TEST(SlurmPlatform, ManyPlaceTheSameTreeAtOnce) {
  SlurmWorld world;
  std::vector<std::jthread> threads;
  for (int number = 1; number <= 8; ++number) {
    threads.emplace_back([&world, number] {
      JobSpec spec = script_spec(number, "cat $TRAINMAKE_DATA_DIR/a.txt");
      ListedFile file;
      file.key = file.source = "a.txt";
      file.size = 2;
      file.content = digest_of("A\n");
      spec.data = {SlurmWorld::tree({file})};
      world.folder.write(cat("ready", number), "");
      EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
    });
    if (number == 1) world.folder.write("a.txt", "A\n");
  }
  threads.clear();
  EXPECT_TRUE(std::filesystem::is_empty(world.folder.path("shared/incoming")));
}

TEST(SlurmPlatform, ASecretReachesTheJobAndStaysInNoFile) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  JobSpec spec = script_spec(
      1, "test \"$TOKEN\" = \"it's secret\" && ! test -e ../secrets && tr '\\0' '\\n' < /proc/$PPID/cmdline");
  spec.secrets = {"TOKEN"};
  const JobHandle job = world.submit(spec, {{"TOKEN", "it's secret"}});
  const Stat file = *real_file_system().look(world.run_of(spec).secrets());
  EXPECT_EQ(file.mode, 0600U);
  for (const std::string& word : world.slurm.last_words) EXPECT_EQ(word.find("secret'"), std::string::npos);
  world.slurm.start(job.job);
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded) << world.log(spec);
  EXPECT_FALSE(real_file_system().look(world.run_of(spec).secrets())->exists());
  EXPECT_EQ(world.log(spec).find("it's secret"), std::string::npos);
}

TEST(SlurmPlatform, ASecretThatNoShellCanReadIsRefused) {
  SlurmWorld world;
  JobSpec spec = script_spec(1, "true");
  spec.secrets = {"my.token"};
  const auto job = world.platform.submit(spec, {{"my.token", "x"}});
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().blame, Blame::kUser);
}

TEST(SlurmPlatform, AJobThatTakesTooLongIsEnded) {
  SlurmWorld world;
  JobSpec spec = script_spec(1, "sleep 60");
  spec.timeout_s = 1;
  const JobStatus status = world.run(spec);
  EXPECT_EQ(status.status, RunStatus::kFailed);
  EXPECT_EQ(status.reason, "timed out after 1.0 s");
}

TEST(SlurmPlatform, AnAnswerThatWasLostIsFoundByItsName) {
  SlurmWorld world;
  world.slurm.lose_answers = true;
  const JobSpec spec = counted(world, "true");
  EXPECT_EQ(world.submit(spec).job, "1");
  EXPECT_EQ(world.await_end({spec.run, spec.key, ""}).status, RunStatus::kSucceeded);
  EXPECT_EQ(starts_of(world), 1);
}

TEST(SlurmPlatform, ASubmissionWhoseAnswerNobodyReadIsAdoptedByTheNext) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = counted(world, "true");
  world.submit(spec);
  ASSERT_TRUE(real_file_system().remove(world.run_of(spec).number()));
  const JobHandle job{spec.run, spec.key, ""};
  EXPECT_TRUE(world.platform.poll(job)->known);
  SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
  EXPECT_EQ(*another.submit(spec, {}), "1");
  EXPECT_EQ(world.slurm.calls["sbatch"], 1);
  world.slurm.start("1");
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  EXPECT_EQ(starts_of(world), 1);
}

TEST(SlurmPlatform, OfTwoJobsOfOneRunOneGoesOn) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = counted(world, "true");
  const JobHandle job = world.submit(spec);
  // As if the queue had not known of the first one yet.
  ASSERT_TRUE(world.processes.run({world.slurm.last_words, {}, ""}, {}));
  world.slurm.start("2");
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  world.slurm.start("1");
  world.await(job, [&](const JobStatus&) {
    return world.processes.run({{"squeue"}, {}, ""}, {})->output.find("RUNNING") == std::string::npos;
  });
  EXPECT_EQ(starts_of(world), 1);
}

TEST(SlurmPlatform, OneThatSlurmStartsTwiceWithoutSayingSoGoesOnOnce) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "exit 3");
  const JobHandle job = world.submit(spec);
  world.await_end(job);
  for (const int restarts : {0, 1}) {
    world.slurm.start(job.job, restarts);
    world.await(job, [&](const JobStatus&) {
      return world.processes.run({{"squeue"}, {}, ""}, {})->output.find("RUNNING") == std::string::npos;
    });
  }
  EXPECT_EQ(starts_of(world), 1);
  EXPECT_EQ(world.platform.poll(job)->reason, "exit code 3");
}

TEST(SlurmPlatform, OneThatSlurmEndedAndStartsAgainBeginsAnew) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "test -e ../code/made && exit 9; touch made; echo on; exec sleep 30");
  const JobHandle job = world.submit(spec);
  const auto until = [&](auto condition) {
    for (int tries = 0; !condition() && tries < 5000; ++tries)
      real_clock().wait(std::chrono::milliseconds(2), {});
    EXPECT_TRUE(condition());
  };
  until([&] { return world.log(spec) == "on\n"; });
  ASSERT_TRUE(world.processes.run({{"scancel", job.job}, {}, ""}, {}));
  until([&] { return world.folder.has(world.run_of(spec).exit()); });
  world.slurm.start(job.job, 1);
  until([&] { return world.log(spec) == "on\non\n"; });
  EXPECT_EQ(starts_of(world), 2);
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kRunning);
}

TEST(SlurmPlatform, SlurmThatCannotBeReachedLeavesItOpen) {
  SlurmWorld world;
  world.slurm.failing.emplace("sbatch", ProcessResult{1, "",
                                                      "sbatch: error: Batch job submission failed: Unable to "
                                                      "contact slurm controller (connect failure)\n"});
  world.slurm.failing.emplace(
      "squeue",
      ProcessResult{1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"});
  const JobSpec spec = counted(world, "true");
  const auto job = world.platform.submit(spec, {});
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().blame, Blame::kRemote);
  EXPECT_FALSE(world.platform.poll({spec.run, spec.key, ""}));
  world.slurm.failing.clear();
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(starts_of(world), 1);
}

TEST(SlurmPlatform, ARefusalSaysThatNothingStarted) {
  SlurmWorld world;
  world.slurm.failing.emplace(
      "sbatch",
      ProcessResult{1, "", "sbatch: error: Batch job submission failed: Invalid partition name specified\n"});
  JobSpec spec = script_spec(1, "true");
  spec.secrets = {"TOKEN"};
  const auto job = world.platform.submit(spec, {{"TOKEN", "sesame"}});
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().blame, Blame::kStep);
  EXPECT_EQ(job.error().message, "Slurm did not take the job: Invalid partition name specified");
  EXPECT_FALSE(real_file_system().look(world.run_of(spec).secrets())->exists());
}

TEST(SlurmPlatform, ASharedFolderThatIsNotThereIsNotMade) {
  SlurmWorld world;
  std::filesystem::remove(world.options.shared_dir);
  const auto job = world.platform.submit(script_spec(1, "true"), {});
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().blame, Blame::kUser);
  EXPECT_NE(job.error().message.find("`shared_dir`"), std::string::npos);
  EXPECT_FALSE(world.folder.has("shared"));
}

TEST(SlurmPlatform, WithoutItsCommandsItSaysWhatIsMissing) {
  SlurmWorld world;
  world.slurm.failing.emplace("sbatch", fail(user_error("Cannot run `sbatch`: it is not in PATH")));
  const auto job = world.platform.submit(script_spec(1, "true"), {});
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().message, "Cannot run `sbatch`: it is not in PATH");
}

TEST(SlurmPlatform, ManyPollsAreOneCallASecond) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  std::vector<JobHandle> jobs;
  for (int number = 1; number <= 20; ++number) jobs.push_back(world.submit(script_spec(number, "true")));
  for (int round = 0; round < 10; ++round) {
    for (const JobHandle& job : jobs) EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kQueued);
  }
  EXPECT_LE(world.slurm.calls["squeue"], 2);
}

TEST(SlurmPlatform, AFailingCallIsNotRepeatedAtOnce) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobHandle job = world.submit(script_spec(1, "true"));
  world.slurm.failing.emplace("squeue", ProcessResult{1, "", "squeue: error: no\n"});
  for (int round = 0; round < 10; ++round) EXPECT_FALSE(world.platform.poll(job));
  EXPECT_EQ(world.slurm.calls["squeue"], 1);
}

TEST(SlurmPlatform, AnEndIsKnownWhenSlurmForgotAndDoesNotAnswer) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "exit 3");
  const JobHandle job = world.submit(spec);
  world.await_end(job);
  world.slurm.forget_all();
  world.slurm.failing.emplace("squeue", ProcessResult{1, "", "squeue: error: no\n"});
  SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
  EXPECT_EQ(another.poll(job)->reason, "exit code 3");
}

TEST(SlurmPlatform, WhatSlurmSaidOfAnEndIsKept) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobHandle job = world.submit(script_spec(1, "true"));
  world.slurm.set_state("1", "OUT_OF_MEMORY", "OutOfMemory");
  EXPECT_EQ(world.await_end(job).reason, "out of memory (OutOfMemory)");
  world.slurm.forget_all();
  SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
  EXPECT_EQ(another.poll(job)->reason, "out of memory (OutOfMemory)");
}

TEST(SlurmPlatform, OneThatSlurmForgotIsLost) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobHandle job = world.submit(script_spec(1, "true"));
  world.slurm.forget_all();
  const JobStatus status = world.await_end(job);
  EXPECT_EQ(status.status, RunStatus::kLost);
  EXPECT_EQ(status.reason, "Slurm no longer knows job 1, which never started");
  EXPECT_TRUE(world.platform.cancel(job));
}

TEST(SlurmPlatform, ACancelledOneThatWaitsNeverStarts) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = counted(world, "true");
  const JobHandle job = world.submit(spec);
  ASSERT_TRUE(world.platform.cancel(job));
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kCancelled);
  EXPECT_EQ(world.slurm.calls["scancel"], 1);
  world.slurm.start("1");  // as if the cancel had come too late
  world.await(job, [&](const JobStatus&) {
    return world.processes.run({{"squeue"}, {}, ""}, {})->output.find("RUNNING") == std::string::npos;
  });
  EXPECT_EQ(starts_of(world), 0);
}

TEST(SlurmPlatform, ACancelThatSlurmDoesNotTakeIsAnError) {
  SlurmWorld world;
  const JobHandle job = world.submit(script_spec(1, "echo on; exec sleep 30"));
  world.await(job, [&](const JobStatus&) { return world.platform.read_log(job, 0, 9) == "on\n"; });
  world.slurm.failing.emplace("scancel", ProcessResult{1, "", "scancel: error: Access/permission denied\n"});
  const auto cancelled = world.platform.cancel(job);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().message, "Slurm does not end job 1: Access/permission denied");
}

TEST(SlurmPlatform, ARunThatMemoryForgotIsRunAgain) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "echo o > $TRAINMAKE_OUTPUT_DIR/o.txt");
  const JobHandle job = world.submit(spec);
  world.await_end(job);
  ASSERT_TRUE(world.platform.settled(job, RunStatus::kSucceeded, {"o.txt"}));
  EXPECT_FALSE(world.folder.has(cat(world.run_of(spec).output(), "/o.txt")));
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(starts_of(world), 2);
}

TEST(SlurmPlatform, ACheckpointOutlivesAFailedAttemptAndGoesWithASuccess) {
  SlurmWorld world;
  const std::string script =
      "cat $TRAINMAKE_CHECKPOINT_DIR/c 2>/dev/null; echo more >> $TRAINMAKE_CHECKPOINT_DIR/c; ";
  const RunStatus ends[] = {RunStatus::kFailed, RunStatus::kSucceeded, RunStatus::kSucceeded};
  const char* logs[] = {"", "more\n", ""};
  for (int number = 0; number < 3; ++number) {
    JobSpec spec = script_spec(number + 1, script + (number == 0 ? "exit 3" : "true"));
    spec.checkpoint = "c";
    const JobHandle job = world.submit(spec);
    EXPECT_EQ(world.await_end(job).status, ends[number]);
    EXPECT_EQ(world.log(spec), logs[number]);
    ASSERT_TRUE(world.platform.settled(job, ends[number], {}));
  }
}

}  // namespace
}  // namespace trainmake
