// Jobs on a Slurm in memory: what reaches them, that each starts once whatever becomes of an answer, and how
// each end is told. What all platforms promise is in platforms_test.cc.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <set>
#include <thread>

#include "rules/job/checkpoint.h"
#include "rules/job/platforms/slurm/shared_files.h"
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

TEST(SlurmPlatform, ASecretThatAJobPrintsIsNotInItsLog) {
  SlurmWorld world;
  JobSpec spec = script_spec(1, "printf 'it is open '; sleep 0.2; echo sesame; env | grep TOKEN >&2; exit 3");
  spec.secrets = {"TOKEN"};
  const JobStatus status = world.run(spec, {{"TOKEN", "open sesame"}});
  EXPECT_EQ(status.reason, "exit code 3");
  EXPECT_EQ(world.log(spec), "it is ***\nTOKEN=***\n");
}

TEST(SlurmPlatform, OneWithASecretIsAskedToEndLikeAnyOther) {
  SlurmWorld world;
  JobSpec spec =
      script_spec(1, "trap 'echo \"$TOKEN, bye\"; exit 4' TERM; echo up; while :; do sleep 0.05; done");
  spec.secrets = {"TOKEN"};
  const JobHandle job = world.submit(spec, {{"TOKEN", "open sesame"}});
  world.await(job, [&](const JobStatus&) { return world.log(spec) == "up\n"; });
  ASSERT_TRUE(world.platform.cancel(job));
  world.await_end(job);
  EXPECT_TRUE(world.log(spec).ends_with("\n***, bye\n")) << world.log(spec);
}

TEST(SlurmPlatform, ASecretThatNoShellCanReadIsRefused) {
  SlurmWorld world;
  JobSpec spec = script_spec(1, "true");
  spec.secrets = {"my.token"};
  const auto job = world.platform.submit(spec, {{"my.token", "x"}});
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().blame, Blame::kUser);
}

// A folder in the place of its file stands for a full disk.
TEST(SlurmPlatform, AnEndThatNoFileCanTellIsToldByALink) {
  for (const auto& [script, status, reason] :
       {std::tuple("true", RunStatus::kSucceeded, ""), {"exit 3", RunStatus::kFailed, "exit code 3"}}) {
    SlurmWorld world;
    const JobSpec spec = counted(world, cat("mkdir ../exit.new; ", script));
    const JobHandle job = world.submit(spec);
    const JobStatus told = world.await_end(job);
    EXPECT_FALSE(world.folder.has(world.run_of(spec).exit()));
    EXPECT_EQ(told.status, status);
    EXPECT_EQ(told.reason, reason);
    EXPECT_GT(told.started_ns, 0);
    EXPECT_GE(told.ended_ns, told.started_ns);
    world.slurm.start(job.job, 1);
    world.await(job, [&](const JobStatus&) {
      return world.processes.run({{"squeue"}, {}, ""}, {})->output.find("RUNNING") == std::string::npos;
    });
    EXPECT_EQ(starts_of(world), 1);
  }
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

std::vector<Submission> sweep(const SlurmWorld& world, int count, const std::string& script = "true") {
  std::vector<Submission> jobs;
  for (int number = 1; number <= count; ++number) jobs.push_back({counted(world, script, number), {}});
  return jobs;
}

JobHandle handle_of(const Submission& job) { return {job.spec.run, job.spec.key, ""}; }

TEST(SlurmPlatform, JobsThatAreAlikeAreOneArray) {
  SlurmWorld world;
  std::vector<Submission> jobs =
      sweep(world, 5, "echo ${SLURM_ARRAY_TASK_ID-alone} in $(basename $(dirname $PWD))");
  jobs[2].spec.timeout_s = 60;
  const auto answers = world.platform.submit_all(jobs);
  EXPECT_EQ(world.slurm.calls["sbatch"], 2);
  std::set<std::string> numbers;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    ASSERT_TRUE(answers[i]);
    EXPECT_EQ(answers[i]->find('_') == std::string::npos, i == 2) << *answers[i];
    numbers.insert(*answers[i]);
    EXPECT_EQ(world.await_end(handle_of(jobs[i])).status, RunStatus::kSucceeded);
    EXPECT_EQ(world.log(jobs[i].spec), cat("alone in ", jobs[i].spec.run, "\n"));
  }
  EXPECT_EQ(numbers.size(), 5U);
  EXPECT_EQ(starts_of(world), 5);
}

TEST(SlurmPlatform, ArraysAreNoLargerThanSlurmTakes) {
  for (const auto& [size, calls] : {std::pair(4, 2), std::pair(2, 4), std::pair(0, 4), std::pair(5, 1)}) {
    SlurmWorld world;
    world.slurm.max_array_size = size;
    world.slurm.hold_jobs = true;
    for (const auto& answer : world.platform.submit_all(sweep(world, 4))) EXPECT_TRUE(answer);
    EXPECT_EQ(world.slurm.calls["sbatch"], calls) << size;
    EXPECT_EQ(world.slurm.jobs(), 4U);
  }
}

TEST(SlurmPlatform, ALostAnswerToAnArrayIsFoundByEachElement) {
  SlurmWorld world;
  world.slurm.lose_answers = true;
  const std::vector<Submission> jobs = sweep(world, 3);
  const auto answers = world.platform.submit_all(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) EXPECT_EQ(answers[i].value_or("lost"), cat("1_", i + 1));
  for (const Submission& job : jobs) world.await_end(handle_of(job));
  EXPECT_EQ(starts_of(world), 3);
}

TEST(SlurmPlatform, AnArrayWhoseAnswerNobodyReadIsAdoptedInAnyParts) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const std::vector<Submission> jobs = sweep(world, 4);
  world.platform.submit_all(jobs);
  for (const Submission& job : jobs) ASSERT_TRUE(real_file_system().remove(world.run_of(job.spec).number()));
  SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
  EXPECT_EQ(another.submit(jobs[3].spec, {}).value_or("lost"), "1_4");
  const auto answers = another.submit_all({jobs[2], jobs[0]});
  EXPECT_EQ(answers[0].value_or("lost"), "1_3");
  EXPECT_EQ(answers[1].value_or("lost"), "1_1");
  EXPECT_EQ(world.slurm.calls["sbatch"], 1);
}

TEST(SlurmPlatform, ElementsThatNeverReachedSlurmAreSubmittedUnderTheirIndexes) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const ProcessResult away{
      1, "", "sbatch: error: Batch job submission failed: Unable to contact slurm controller\n"};
  world.slurm.failing.emplace("sbatch", away);
  const std::vector<Submission> jobs = sweep(world, 4);
  for (const auto& answer : world.platform.submit_all(jobs)) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().blame, Blame::kRemote);
  }
  world.slurm.failing.clear();
  world.platform.submit_all({jobs[0], jobs[1], jobs[3]});
  const auto words = world.slurm.last_words;
  EXPECT_NE(std::find(words.begin(), words.end(), "--array=1-2,4"), words.end());
  // Another call that was on its way starts nothing twice.
  ASSERT_TRUE(world.processes.run({words, {}, ""}, {}));
  for (const char* number : {"2_4", "1_4", "1_1", "2_1", "1_2", "2_2"}) world.slurm.start(number);
  for (const int i : {0, 1, 3})
    EXPECT_EQ(world.await_end(handle_of(jobs[static_cast<std::size_t>(i)])).status, RunStatus::kSucceeded);
  world.await(handle_of(jobs[0]), [&](const JobStatus&) {
    return world.processes.run({{"squeue"}, {}, ""}, {})->output.find("RUNNING") == std::string::npos;
  });
  EXPECT_EQ(starts_of(world), 3);
}

TEST(SlurmPlatform, AnElementIsCancelledAlone) {
  SlurmWorld world;
  const std::vector<Submission> jobs = sweep(world, 2, "echo on; exec sleep 30");
  world.platform.submit_all(jobs);
  for (const Submission& job : jobs)
    world.await(handle_of(job), [&](const JobStatus&) {
      return world.platform.read_log(handle_of(job), {0, 9}) == "on\n";
    });
  ASSERT_TRUE(world.platform.cancel(handle_of(jobs[0])));
  EXPECT_EQ(world.await_end(handle_of(jobs[0])).status, RunStatus::kCancelled);
  EXPECT_EQ(world.platform.poll(handle_of(jobs[1]))->status, RunStatus::kRunning);
}

TEST(SlurmPlatform, OneThatLeftItsArrayIsLostUnlessItWasCancelledHere) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const std::vector<Submission> jobs = sweep(world, 3);
  world.platform.submit_all(jobs);
  ASSERT_TRUE(world.platform.cancel(handle_of(jobs[2])));
  world.slurm.forget("1_2");
  world.slurm.forget("1_3");
  const JobStatus lost = world.await_end(handle_of(jobs[1]));
  EXPECT_EQ(lost.status, RunStatus::kLost);
  EXPECT_EQ(
      lost.reason,
      "Slurm no longer knows job 1_2, which never started: it was cancelled in Slurm while it waited, or "
      "no node could begin it");
  EXPECT_EQ(world.await_end(handle_of(jobs[2])).status, RunStatus::kCancelled);
  EXPECT_EQ(world.platform.poll(handle_of(jobs[0]))->status, RunStatus::kQueued);
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
    for (int tries = 0; !condition() && tries < 10'000; ++tries)
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

TEST(SlurmPlatform, OneThatSlurmLostSightOfEndsWhereAnotherWasStarted) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "echo on; sleep 30");
  const JobHandle job = world.submit(spec);
  world.await(job, [&](const JobStatus&) { return world.log(spec) == "on\n"; });
  ASSERT_TRUE(real_file_system().make_folder(path_join(world.run_of(spec).top, "start-2")));
  world.await(job, [&](const JobStatus&) {
    return world.processes.run({{"squeue"}, {}, ""}, {})->output.find("RUNNING") == std::string::npos;
  });
  EXPECT_FALSE(world.folder.has(world.run_of(spec).exit())) << "its end says nothing of the run";
}

TEST(SlurmPlatform, OneThatWasOverBeforeItStartedNeverStarts) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = counted(world, "true");
  const JobHandle job = world.submit(spec);
  world.slurm.set_state(job.job, "CANCELLED");
  EXPECT_EQ(world.await_end(job).status, RunStatus::kCancelled);
  // A slurmctld that fell had not written that down.
  world.slurm.start(job.job);
  world.await(job, [&](const JobStatus&) {
    return world.processes.run({{"squeue"}, {}, ""}, {})->output.find("RUNNING") == std::string::npos;
  });
  EXPECT_EQ(starts_of(world), 0);
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

TEST(SlurmPlatform, AMachineWithoutSbatchIsToldBeforeARun) {
  SlurmWorld world;
  world.environment.variables["PATH"] = world.folder.path("bin");
  EXPECT_TRUE(world.platform.admits({}, Asking::kNobody));
  const auto ready = world.platform.admits({}, Asking::kPlatform);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().message, "`sbatch`, which hands jobs to Slurm, is not in PATH");
  world.folder.write("bin/sbatch", "");
  std::filesystem::permissions(world.folder.path("bin/sbatch"), std::filesystem::perms::owner_all);
  EXPECT_TRUE(world.platform.admits({}, Asking::kPlatform));
}

TEST(SlurmPlatform, AConfigurationThatIsNotThereIsToldAtOnce) {
  SlurmWorld world;
  world.environment.variables["SLURM_CONF"] = "/no/slurm.conf";
  const auto ready = world.platform.admits({}, Asking::kNobody);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().message, "There is no file `/no/slurm.conf`, which `SLURM_CONF` names");
}

// An sbatch that never answers.
class SilentSlurm final : public Processes {
 public:
  Result<ProcessResult> run(const Command& command, std::stop_token stop) override {
    const std::string& program = command.arguments.front();
    if (program != "sbatch" && program != "squeue") return ProcessResult{0, "", ""};
    real_clock().wait(std::chrono::hours(1), stop);
    return fail(interrupted_error());
  }
  Result<int> start_detached(const Command&) override { return fail(step_error("Nothing is started here")); }
  Result<bool> send(const Process&, Signal) override { return false; }
};

TEST(SlurmPlatform, ThatSlurmDoesNotAnswerIsSaidAndWhoeverStopsDoesNotWaitForIt) {
  SilentSlurm silent;
  SlurmWorld world(&silent);
  std::stop_source stop;
  std::string said;
  const std::int64_t began = real_clock().steady_ns();
  const auto answers =
      world.platform.submit_all({{script_spec(1, "true"), {}, {stop.get_token(), [&](std::string text) {
                                                                 said = std::move(text);
                                                                 stop.request_stop();
                                                               }}}});
  EXPECT_EQ(said, "Slurm has not answered `sbatch` yet; `scontrol ping` tells whether it is well");
  ASSERT_FALSE(answers.front());
  EXPECT_EQ(answers.front().error().blame, Blame::kInterrupted);
  EXPECT_LT(real_clock().steady_ns() - began, 20'000'000'000);
}

TEST(SlurmPlatform, SoItIsForWhoeverWatchesOrCancels) {
  SilentSlurm silent;
  SlurmWorld world(&silent);
  const JobSpec spec = script_spec(1, "true");
  const JobHandle job{spec.run, spec.key, ""};
  std::stop_source stop;
  std::string said;
  const auto hear = [&](std::string text) {
    said = std::move(text);
    stop.request_stop();
  };
  const std::int64_t began = real_clock().steady_ns();
  ASSERT_FALSE(world.platform.submit_all({{spec, {}, {stop.get_token(), hear}}}).front());
  stop = {};
  const auto status = world.platform.poll(job, {stop.get_token(), hear});
  EXPECT_EQ(said, "Slurm has not answered `squeue` yet; `scontrol ping` tells whether it is well");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().blame, Blame::kInterrupted);
  stop = {};
  said.clear();
  EXPECT_TRUE(world.platform.cancel(job, {stop.get_token(), hear})) << "it will not start";
  EXPECT_EQ(said, "Slurm has not answered `squeue` yet; `scontrol ping` tells whether it is well");
  EXPECT_LT(real_clock().steady_ns() - began, 20'000'000'000);
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

TEST(SlurmPlatform, AJobThatAnotherClusterWasGivenIsToldAndNotAskedForAgain) {
  SlurmWorld world;
  world.slurm.failing.emplace("sbatch", ProcessResult{0, "12;other\n", ""});
  const auto job = world.platform.submit(script_spec(1, "true"), {});
  ASSERT_FALSE(job);
  EXPECT_NE(job.error().blame, Blame::kRemote);
  EXPECT_EQ(
      job.error().message,
      "Slurm gave the job to another cluster, `other`, as number 12, where trainmake does not look for it");
  EXPECT_NE(job.error().hint.find("`scancel --clusters=other 12`"), std::string::npos);
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

// Away as an empty mount point is, or altogether, and back again.
class AwayShare {
 public:
  enum class Leaves : std::uint8_t { kEmptyFolder, kNothing };
  AwayShare(const SlurmWorld& world, Leaves leaves) : place_(world.options.shared_dir) {
    std::filesystem::rename(place_, elsewhere_);
    if (leaves == Leaves::kEmptyFolder) std::filesystem::create_directory(place_);
  }
  void come_back() {
    std::filesystem::remove_all(place_);
    std::filesystem::rename(elsewhere_, place_);
  }
  bool is_untouched() const { return !std::filesystem::exists(place_) || std::filesystem::is_empty(place_); }

 private:
  std::string place_;
  std::string elsewhere_ = place_ + "-elsewhere";
};
constexpr AwayShare::Leaves kWaysToBeAway[] = {AwayShare::Leaves::kEmptyFolder, AwayShare::Leaves::kNothing};

void expect_not_told(const Error& error) {
  EXPECT_EQ(error.blame, Blame::kRemote) << error.message;
  EXPECT_NE(error.message.find("`shared_dir`"), std::string::npos) << error.message;
}

TEST(SlurmPlatform, WhileTheSharedFolderIsAwayNothingIsToldOfARunAndItIsNotCancelled) {
  for (const AwayShare::Leaves leaves : kWaysToBeAway) {
    SlurmWorld world;
    world.slurm.hold_jobs = true;
    const JobSpec spec = counted(world, "true");
    const JobHandle job = world.submit(spec);
    AwayShare share(world, leaves);
    SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
    for (const std::string& number : {job.job, std::string()}) {
      const JobHandle handle{job.run, job.key, number};
      const auto status = another.poll(handle);
      ASSERT_FALSE(status) << name_of(status->status);
      expect_not_told(status.error());
      const auto cancelled = another.cancel(handle);
      ASSERT_FALSE(cancelled);
      expect_not_told(cancelled.error());
    }
    EXPECT_TRUE(share.is_untouched());
    share.come_back();
    EXPECT_EQ(another.poll(job)->status, RunStatus::kQueued);
    world.slurm.start(job.job);
    EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  }
}

TEST(SlurmPlatform, WhileTheSharedFolderIsAwayNothingIsSubmittedASecondTime) {
  for (const AwayShare::Leaves leaves : kWaysToBeAway) {
    SlurmWorld world;
    world.slurm.hold_jobs = true;
    const JobSpec spec = counted(world, "true");
    const JobHandle job = world.submit(spec);
    AwayShare share(world, leaves);
    SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
    const auto again = another.submit(spec, {});
    ASSERT_FALSE(again);
    expect_not_told(again.error());
    EXPECT_EQ(world.slurm.calls["sbatch"], 1);
    EXPECT_TRUE(share.is_untouched());
    share.come_back();
    EXPECT_EQ(another.submit(spec, {}).value_or("lost"), job.job);
  }
}

// The platform as it is once its `shared_dir` was edited.
struct EditedShare {
  explicit EditedShare(SlurmWorld& world) : options(world.options), platform_(nullptr) {
    options.shared_dir = world.folder.path("edited");
    std::filesystem::create_directory(options.shared_dir);
    platform_ = std::make_unique<SlurmPlatform>(world.host, world.workspace, world.blobs, options);
  }
  SlurmPlatform& platform() { return *platform_; }

  SlurmOptions options;
  std::unique_ptr<SlurmPlatform> platform_;
};

TEST(SlurmPlatform, ARunGoesOnWhereItWasHandedOverThoughTheSharedFolderIsAnotherNow) {
  for (const bool is_number_known : {true, false}) {
    SlurmWorld world;
    world.slurm.hold_jobs = true;
    const std::vector<Submission> jobs = sweep(world, 2);
    world.platform.submit_all(jobs);
    EditedShare edited(world);
    const JobHandle job{jobs[0].spec.run, jobs[0].spec.key, is_number_known ? "1_1" : ""};
    EXPECT_EQ(edited.platform().poll(job)->status, RunStatus::kQueued);
    EXPECT_EQ(edited.platform().submit(jobs[0].spec, {}).value_or("lost"), "1_1");
    world.slurm.start("1_1");
    JobStatus status;
    world.await(job, [&](const JobStatus&) {
      status = edited.platform().poll(job).value_or(JobStatus());
      return is_over(status.status);
    });
    EXPECT_EQ(status.status, RunStatus::kSucceeded);
    EXPECT_EQ(world.slurm.calls["sbatch"], 1);
    const JobHandle fresh{"fresh", "trainmake-fresh", ""};
    EXPECT_FALSE(edited.platform().poll(fresh)->known);
  }
}

TEST(SlurmPlatform, SoNothingIsToldWhereThatIsAway) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = counted(world, "true");
  const JobHandle job = world.submit(spec);
  AwayShare share(world, AwayShare::Leaves::kNothing);
  EditedShare edited(world);
  const auto status = edited.platform().poll(job);
  ASSERT_FALSE(status) << name_of(status->status);
  expect_not_told(status.error());
  const auto by_name = edited.platform().poll({job.run, job.key, ""});
  ASSERT_FALSE(by_name) << name_of(by_name->status);
  EXPECT_NE(by_name.error().message.find("Slurm has job 1"), std::string::npos);
  EXPECT_FALSE(edited.platform().poll({"fresh", "trainmake-fresh", ""})->known);
}

TEST(SlurmPlatform, ARunWhoseFolderAloneIsGoneIsLostOnceSlurmHasNoJobOfIt) {
  for (const int jobs : {1, 2}) {
    SlurmWorld world;
    world.slurm.hold_jobs = true;
    std::vector<Submission> all = sweep(world, jobs);
    const std::string number = *world.platform.submit_all(all).front();
    const JobHandle job{all[0].spec.run, all[0].spec.key, number};
    ASSERT_TRUE(real_file_system().remove(world.run_of(all[0].spec).top));
    const auto status = world.platform.poll(job);
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message.find(cat("Slurm has job ", number)), std::string::npos);
    ASSERT_TRUE(world.platform.cancel(job));
    EXPECT_EQ(world.slurm.calls["scancel"], 1);
    EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kCancelled);
    ASSERT_TRUE(real_file_system().remove(world.run_of(all[0].spec).top));
    EXPECT_FALSE(world.platform.poll(job)->known);
  }
}

TEST(SlurmPlatform, ASharedFolderThatWasClearedForGoodIsTakenUpWhenItsFolderIsMade) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "true");
  const JobHandle job = world.submit(spec);
  world.await_end(job);
  AwayShare share(world, AwayShare::Leaves::kEmptyFolder);
  EXPECT_FALSE(world.platform.poll(job));
  std::filesystem::create_directories(world.platform.folder_of("x")->top);
  const auto status = world.platform.poll(job);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_FALSE(status->known);
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

TEST(SlurmPlatform, AnEmptyAnswerLosesNoJobThatRuns) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "echo on; while ! test -e ../gate; do sleep 0.01; done");
  const JobHandle job = world.submit(spec);
  world.await(job, [&](const JobStatus&) { return starts_of(world) == 1; });
  const std::filesystem::file_time_type old =
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  std::filesystem::last_write_time(world.run_of(spec).number(), old);
  const std::string owner = world.run_of(spec).owner();
  const timespec times[] = {{1, 0}, {1, 0}};  // as if it had started long ago
  ASSERT_EQ(::utimensat(AT_FDCWD, owner.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  world.slurm.empty_answers = 1;
  SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
  const auto status = another.poll(job);
  ASSERT_FALSE(status) << name_of(status->status);
  EXPECT_EQ(status.error().blame, Blame::kRemote);
  EXPECT_EQ(
      status.error().message,
      "Slurm does not tell how jobs go: `scontrol show job 1` shows one that `squeue` does not tell of");
  world.slurm.empty_answers = 1;
  EXPECT_FALSE(SlurmPlatform(world.host, world.workspace, world.blobs, world.options).cancel(job));
  EXPECT_EQ(world.slurm.calls["scancel"], 0);
  ASSERT_TRUE(real_file_system().remove(world.run_of(spec).cancel()));
  world.folder.write(
      cat("shared/runs/", path_name(path_folder(world.run_of(spec).top)), "/", spec.run, "/gate"), "");
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  EXPECT_EQ(starts_of(world), 1);
}

TEST(SlurmPlatform, AnEmptyAnswerHasNothingSubmittedASecondTime) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = counted(world, "true");
  world.submit(spec);
  world.slurm.empty_answers = 1;
  SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
  const auto again = another.submit(spec, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().blame, Blame::kRemote);
  EXPECT_EQ(world.slurm.calls["sbatch"], 1);
}

TEST(SlurmPlatform, ASweepThatIsLostAtOnceIsAFewCalls) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const std::vector<Submission> jobs = sweep(world, 100);
  world.platform.submit_all(jobs);
  for (const Submission& job : jobs) {
    const timespec times[] = {{1, 0}, {1, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, world.run_of(job.spec).number().c_str(), times, 0), 0);
  }
  world.slurm.forget_all();
  world.slurm.calls.clear();
  for (const Submission& job : jobs) {
    EXPECT_EQ(world.await_end(handle_of(job)).status, RunStatus::kLost);
    EXPECT_TRUE(world.platform.cancel(handle_of(job)));
  }
  EXPECT_LE(world.slurm.calls["squeue"], 3);
  EXPECT_LE(world.slurm.calls["scontrol"], 3);
}

TEST(SlurmPlatform, ANumberThatIsAnothersByNowIsLetBe) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "exec sleep 60");
  const JobHandle job = world.submit(spec);
  world.await(job, [&](const JobStatus&) { return starts_of(world) == 1; });
  world.slurm.begin_anew();
  world.slurm.hold_jobs = true;
  ASSERT_TRUE(world.processes.run({{"sbatch", "--job-name=precious", "script"}, {}, ""}, {}));
  EXPECT_EQ(world.await_end(job).status, RunStatus::kLost);
  EXPECT_TRUE(world.platform.cancel(job));
  EXPECT_EQ(world.slurm.state_of("1"), "PENDING");
  EXPECT_EQ(world.slurm.calls["scancel"], 0);
}

TEST(SlurmPlatform, OneWhoseCommentSomebodyWroteOverIsTheSameAndCanBeCancelled) {
  for (const char* comment : {"night-shift", ""}) {
    SlurmWorld world;
    const JobSpec spec = counted(world, "exec sleep 60");
    const JobHandle job = world.submit(spec);
    world.slurm.comment_on("1", comment);
    world.await(job, [&](const JobStatus&) { return starts_of(world) == 1; });
    SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
    EXPECT_EQ(another.poll(job)->status, RunStatus::kRunning) << comment;
    EXPECT_EQ(another.submit(spec, {}).value_or("none"), "1");
    EXPECT_EQ(world.slurm.jobs(), 1U);
    EXPECT_TRUE(another.cancel(job));
    EXPECT_EQ(world.await_end(job).status, RunStatus::kCancelled);
  }
}

TEST(SlurmPlatform, SoIsOneWhoseNumberNobodyWroteDown) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = counted(world, "exec sleep 60");
  world.submit(spec);
  ASSERT_TRUE(real_file_system().remove(world.run_of(spec).number()));
  world.slurm.comment_on("1", "night-shift");
  const JobHandle job{spec.run, spec.key, ""};
  SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
  EXPECT_TRUE(another.poll(job)->known);
  EXPECT_EQ(another.submit(spec, {}).value_or("none"), "1");
  EXPECT_EQ(world.slurm.calls["sbatch"], 1);
  ASSERT_TRUE(real_file_system().remove(world.run_of(spec).number()));
  EXPECT_TRUE(another.cancel(job));
  EXPECT_EQ(world.slurm.state_of("1"), "CANCELLED");
}

TEST(SlurmPlatform, SoIsOneThatWaits) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = counted(world, "true");
  const JobHandle job = world.submit(spec);
  world.slurm.comment_on("1", "night-shift");
  SlurmPlatform another(world.host, world.workspace, world.blobs, world.options);
  EXPECT_EQ(another.poll(job)->status, RunStatus::kQueued);
  EXPECT_EQ(another.submit(spec, {}).value_or("none"), "1");
  EXPECT_TRUE(another.cancel(job));
  EXPECT_EQ(world.slurm.state_of("1"), "CANCELLED");
}

TEST(SlurmPlatform, AnotherWorkspacesRunOfTheSameThingIsLetBe) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = counted(world, "true");
  ASSERT_TRUE(world.processes.run(
      {{"sbatch", cat("--job-name=", spec.key), "--comment=trainmake 11ee", "script"}, {}, ""}, {}));
  const JobHandle job = world.submit(spec);
  EXPECT_EQ(job.job, "2");
  EXPECT_TRUE(world.platform.cancel(job));
  EXPECT_EQ(world.slurm.state_of("1"), "PENDING");
}

TEST(SlurmPlatform, WhatAccountingKeepsOfItIsTold) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobSpec spec = script_spec(1, "true");
  const JobHandle job = world.submit(spec);
  world.slurm.begin_anew();
  world.slurm.failing.emplace(
      "sacct", ProcessResult{0, cat("1|CANCELLED by 0|1700000000|1700000001|", spec.key, "\n"), ""});
  EXPECT_EQ(world.await_end(job).status, RunStatus::kCancelled);
}

TEST(SlurmPlatform, AccountingThatDidNotHearOfItsNameGoesByWhenItStarted) {
  for (const auto& [late_s, status] : {std::pair(1, RunStatus::kCancelled), {7200, RunStatus::kLost}}) {
    SlurmWorld world;
    const JobSpec spec = counted(world, "exec sleep 60");
    const JobHandle job = world.submit(spec);
    world.await(job, [&](const JobStatus&) { return starts_of(world) == 1; });
    world.slurm.begin_anew();
    const std::int64_t start_s = real_clock().now_ns() / 1'000'000'000 + late_s;
    world.slurm.failing.emplace(
        "sacct", ProcessResult{0, cat("1|CANCELLED by 0|", start_s, "|", start_s + 1, "|allocation\n"), ""});
    EXPECT_EQ(world.await_end(job).status, status);
  }
}

TEST(SlurmPlatform, SoItIsInAccounting) {
  SlurmWorld world;
  world.slurm.hold_jobs = true;
  const JobHandle job = world.submit(script_spec(1, "true"));
  world.slurm.begin_anew();
  world.slurm.failing.emplace("sacct", ProcessResult{0, "1|COMPLETED|1700000000|1700000001|precious\n", ""});
  EXPECT_EQ(world.await_end(job).reason, "Slurm no longer knows job 1, which never started");
}

TEST(SlurmPlatform, ManyAreCancelledByOneCommand) {
  SlurmWorld world;
  std::vector<Submission> jobs = sweep(world, 5, "echo on; exec sleep 30");
  jobs[2].spec.timeout_s = 60;
  world.platform.submit_all(jobs);
  std::vector<JobHandle> handles;
  for (const Submission& job : jobs) {
    handles.push_back(handle_of(job));
    world.await(handles.back(), [&](const JobStatus&) {
      return world.platform.read_log(handles.back(), {0, 9}) == "on\n";
    });
  }
  for (const auto& answer : world.platform.cancel_all(handles, {})) EXPECT_TRUE(answer);
  EXPECT_EQ(world.slurm.calls["scancel"], 1);
  for (const JobHandle& job : handles) EXPECT_EQ(world.await_end(job).status, RunStatus::kCancelled);
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
  world.await(job, [&](const JobStatus&) { return world.platform.read_log(job, {0, 9}) == "on\n"; });
  world.slurm.failing.emplace("scancel", ProcessResult{1, "", "scancel: error: Access/permission denied\n"});
  const auto cancelled = world.platform.cancel(job);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().message, "Slurm does not end job 1: Access/permission denied");
}

TEST(SlurmPlatform, ARunThatMemoryForgotIsTakenUpWhileWhatItLeftIsThere) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "echo o > $TRAINMAKE_OUTPUT_DIR/o.txt");
  const JobHandle job = world.submit(spec);
  world.await_end(job);
  ASSERT_TRUE(world.platform.settled(job, RunStatus::kSucceeded, {"o.txt"}));
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(starts_of(world), 1);
  ASSERT_TRUE(real_file_system().remove(world.run_of(spec).output()));
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kLost);
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(starts_of(world), 2);
}

TEST(SlurmPlatform, AFailureThatMemoryForgotIsRunAgain) {
  SlurmWorld world;
  const JobSpec spec = counted(world, "exit 3");
  const JobHandle job = world.submit(spec);
  world.await_end(job);
  ASSERT_TRUE(world.platform.settled(job, RunStatus::kFailed, {}));
  EXPECT_EQ(world.run(spec).reason, "exit code 3");
  EXPECT_EQ(starts_of(world), 2);
}

TEST(SlurmPlatform, PortsOfAJobThatCouldNotGiveThemBackAreTakenFromItsOwnOnly) {
  SlurmWorld world;
  const JobSpec spec = script_spec(1, "printf 'n:20016\\nn:20017\\nn:20018\\n' > ../ports");
  const std::string ports = world.folder.path("shared/ports/");
  std::filesystem::create_directories(ports);
  std::filesystem::create_symlink("1", ports + "n:20016");
  std::filesystem::create_symlink("9", ports + "n:20017");
  const JobHandle job = world.submit(spec);
  const JobStatus status = world.await_end(job);
  ASSERT_EQ(status.status, RunStatus::kSucceeded) << world.log(spec);
  ASSERT_TRUE(world.platform.settled(job, status.status, {}));
  EXPECT_FALSE(std::filesystem::is_symlink(ports + "n:20016"));
  EXPECT_TRUE(std::filesystem::is_symlink(ports + "n:20017"));
  EXPECT_TRUE(world.platform.settled(job, status.status, {}));
}

TEST(SlurmPlatform, ACheckpointStaysAfterAFailureAndGoesWithASuccess) {
  for (const bool succeeds : {false, true}) {
    SlurmWorld world;
    JobSpec spec =
        script_spec(1, cat("echo 7 > $TRAINMAKE_CHECKPOINT_DIR/step; exit ", succeeds ? "0" : "1"));
    spec.checkpoint = own_checkpoint(spec.run);
    const JobHandle job = world.submit(spec);
    const RunStatus end = world.await_end(job).status;
    ASSERT_EQ(end, succeeds ? RunStatus::kSucceeded : RunStatus::kFailed);
    ASSERT_TRUE(world.platform.settled(job, end, {}));
    const std::string folder = *world.platform.left(job, {Left::kCheckpoint});
    EXPECT_EQ(*read_file(real_file_system(), path_join(folder, "step")), "7\n");
    EXPECT_EQ(std::filesystem::exists(own_checkpoint_folder(world.run_of(spec))), !succeeds);
  }
}

struct CheckpointOnSlurm : SlurmWorld {
  JobSpec counting() {
    JobSpec spec =
        script_spec(1, "cat $TRAINMAKE_CHECKPOINT_DIR/step; echo on > $TRAINMAKE_CHECKPOINT_DIR/step");
    spec.checkpoint = own_checkpoint(spec.run);
    return spec;
  }
  JobSpec resuming() {
    JobSpec spec = counting();
    spec.resumed = Checkpoint{"run0", "", std::make_shared<const Listing>(Listing{stored("step", "12\n")})};
    return spec;
  }
  std::string checkpoint_of(const JobSpec& spec) { return own_checkpoint_folder(run_of(spec)); }
  JobHandle hold(const JobSpec& spec) {
    slurm.hold_jobs = true;
    return submit(spec);
  }
};

TEST(SlurmPlatform, WhatLiesWhereItsCheckpointWillBeIsPutAside) {
  CheckpointOnSlurm world;
  const JobSpec spec = world.counting();
  const std::string folder = world.checkpoint_of(spec);
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(write_file(real_file_system(), path_join(folder, "step"), "of a run that was forgotten"));
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec).find("forgotten"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder + ".earlier/step"));
}

TEST(SlurmPlatform, AJobWhoseSubmissionIsDoneAgainHasItsCheckpointStill) {
  CheckpointOnSlurm world;
  const JobSpec spec = world.resuming();
  world.hold(spec);
  ASSERT_TRUE(write_file(real_file_system(), path_join(world.checkpoint_of(spec), "mark"), ""));
  ASSERT_TRUE(real_file_system().remove(world.run_of(spec).number()));
  world.submit(spec);
  EXPECT_TRUE(std::filesystem::exists(path_join(world.checkpoint_of(spec), "mark")));
}

TEST(SlurmPlatform, AJobGoesOnFromWhatWasPlacedForIt) {
  CheckpointOnSlurm world;
  const JobSpec spec = world.resuming();
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "12\n");
}

TEST(SlurmPlatform, OfACheckpointThatIsNotWholeAnyMoreNothingIsBegun) {
  for (const char* now : {"", "1"}) {
    CheckpointOnSlurm world;
    const JobSpec spec = world.resuming();
    const JobHandle job = world.hold(spec);
    const std::string folder = world.checkpoint_of(spec);
    ASSERT_TRUE(real_file_system().remove(folder + "/step"));
    if (*now != 0) {
      ASSERT_TRUE(write_file(real_file_system(), folder + "/step", now));
    }
    world.slurm.start(job.job);
    EXPECT_EQ(world.await_end(job).status, RunStatus::kFailed);
    EXPECT_EQ(world.log(spec), cat("Not begun: of the checkpoint of run run0 there are ",
                                   *now == 0 ? "0" : "1", " files, ", *now == 0 ? "0" : "1", " bytes in ",
                                   folder, ", and not 1 files, 3 bytes; trying again places it anew\n"));
    EXPECT_FALSE(std::filesystem::exists(folder)) << "others do not go on from that";
  }
}

TEST(SlurmPlatform, OfACheckpointWithOtherContentOfTheSameSizeNothingIsBegun) {
  CheckpointOnSlurm world;
  const JobSpec spec = world.resuming();
  const JobHandle job = world.hold(spec);
  const std::string folder = world.checkpoint_of(spec);
  ASSERT_TRUE(real_file_system().remove(folder + "/step"));
  ASSERT_TRUE(write_file(real_file_system(), folder + "/step", "13\n"));
  world.slurm.start(job.job);
  EXPECT_EQ(world.await_end(job).status, RunStatus::kFailed);
  EXPECT_EQ(world.log(spec), cat("Not begun: of the checkpoint of run run0 ./step in ", folder,
                                 " is not what was placed there; trying again places it anew\n"));
  EXPECT_FALSE(std::filesystem::exists(folder)) << "others do not go on from that";
}

TEST(SlurmPlatform, WithoutItsCheckpointFolderNothingIsBegun) {
  for (const bool resumes : {false, true}) {
    CheckpointOnSlurm world;
    const JobSpec spec = resumes ? world.resuming() : world.counting();
    const JobHandle job = world.hold(spec);
    ASSERT_TRUE(real_file_system().remove(world.checkpoint_of(spec)));
    world.slurm.start(job.job);
    EXPECT_EQ(world.await_end(job).status, RunStatus::kFailed);
    EXPECT_EQ(world.log(spec), cat("Not begun: the checkpoint folder of this run, ",
                                   world.checkpoint_of(spec), ", is gone; trying again places it anew\n"));
  }
}

}  // namespace
}  // namespace trainmake
