// What the local platform does beyond the conformance suite: the run's folder, secrets, limits, and starting
// once.
#include <signal.h>

#include <thread>

#include "engine/base/reserved_file.h"
#include "rules/job/checkpoint.h"
#include "rules/job/platforms/local/patient_log.h"
#include "rules/job/platforms/local/prepare.h"
#include "tests/rules/job/local_world.h"

namespace trainmake {
namespace {

std::string everything_in(const std::string& folder) {
  std::string all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    all += entry.path().string();
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    all.append(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return all;
}

TEST(LocalPlatform, RunsTheCodeThatWasSubmittedWithItsModesAndLinks) {
  LocalWorld world;
  JobSpec spec = spec_named(1);
  ListedFile link;
  link.key = "link.txt";
  link.link_target = "lib/a.txt";
  spec.code = std::make_shared<const Listing>(
      Listing{world.stored("lib/a.txt", "from the code"), link,
              world.stored("main.sh", "cat link.txt; ls -l tool.sh | cut -c1-10; pwd"),
              world.stored("tool.sh", "", 0755)});
  spec.main = "main.sh";
  spec.starter = {{"sh"}};
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec),
            cat("from the code-rwxr-xr-x\n", world.folder.path("cache/runs/run1/code"), "\n"));
}

TEST(LocalPlatform, NothingLeaksIntoTheEnvironment) {
  LocalWorld world;
  world.environment.variables["LEAK"] = "1";
  JobSpec spec = script_spec(1, "env | cut -d= -f1 | sort; ls -A \"$HOME\"");
  spec.environment = {{"MODE", "fast"}};
  world.run(spec);
  const std::string seen = world.log(spec);
  EXPECT_EQ(seen.find("LEAK"), seen.npos);
  for (const char* name : {"HOME", "LANG", "MODE", "PATH", "TRAINMAKE_CHECKPOINT_DIR", "TRAINMAKE_CODE_DIR",
                           "TRAINMAKE_DATA_DIR", "TRAINMAKE_LABEL", "TRAINMAKE_LOG_DIR",
                           "TRAINMAKE_OUTPUT_DIR", "TRAINMAKE_PARAMS", "TRAINMAKE_RUN"}) {
    EXPECT_NE(seen.find(cat(name, "\n")), seen.npos) << name << " in\n" << seen;
  }
}

TEST(LocalPlatform, DataIsReadWhereItLiesInTheFolderOfItsChannel) {
  LocalWorld world;
  world.folder.write("in/train/x/1.txt", "one ");
  world.folder.write("in/2.txt", "two ");
  world.folder.write("far/3.txt", "three");
  std::filesystem::create_symlink("../far/3.txt", world.folder.path("in/3.txt"));
  JobSpec spec = script_spec(
      1,
      "cd \"$TRAINMAKE_DATA_DIR\"; cat train/x/1.txt more/2.txt 3.txt; find . -type d | sort | tr '\\n' ' '");
  spec.data = {world.in_place({{"x/1.txt", "in/train/x/1.txt"}}, "train"),
               world.in_place({{"3.txt", "in/3.txt"}, {"more/2.txt", "in/2.txt"}})};
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded) << world.log(spec);
  EXPECT_EQ(world.log(spec), "one two three. ./more ./train ./train/x ");
}

TEST(LocalPlatform, DataIsReadOnlyAndTheRestIsNot) {
  LocalWorld world;
  world.folder.write("in/1.txt", "one");
  JobSpec spec = script_spec(
      1, cat("cd \"$TRAINMAKE_DATA_DIR\"; (echo changed > 1.txt) 2>/dev/null || echo refused; echo here > ",
             world.folder.path("in/beside.txt")));
  spec.data = {world.in_place({{"1.txt", "in/1.txt"}})};
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  if (world.log(spec).empty()) GTEST_SKIP() << "no mounts on this machine";
  EXPECT_EQ(world.log(spec), "refused\n");
  EXPECT_EQ(world.folder.read("in/1.txt"), "one");
  EXPECT_EQ(world.folder.read("in/beside.txt"), "here\n");
}

TEST(LocalPlatform, WhatAJobLeftIsAFileOfTheNext) {
  LocalWorld world;
  JobSpec spec = script_spec(1, "cat \"$TRAINMAKE_DATA_DIR/model/m.txt\"");
  spec.data = {
      {"//job:other", "model", std::make_shared<const Listing>(Listing{world.stored("m.txt", "weights")})}};
  world.run(spec);
  EXPECT_EQ(world.log(spec), "weights");
}

TEST(LocalPlatform, ADamagedBlobIsAnErrorBeforeAnythingStarts) {
  LocalWorld world;
  JobSpec spec = script_spec(1, "echo ran");
  const ListedFile file = world.stored("m.txt", "weights");
  spec.data = {{"//job:other", "model", std::make_shared<const Listing>(Listing{file})}};
  std::filesystem::permissions(world.blobs.path(file.sha256), std::filesystem::perms::owner_all);
  std::ofstream(world.blobs.path(file.sha256)) << "rotten!";
  const auto job = world.platform.submit(spec, {});
  ASSERT_FALSE(job);
  EXPECT_NE(job.error().message.find("m.txt"), std::string::npos);
  EXPECT_EQ(world.processes.started, 0);
}

TEST(LocalPlatform, OneThatIsInterruptedWhileItIsLaidOutIsNotStartedUntilTheNextAsks) {
  LocalWorld world;
  JobSpec spec = script_spec(1, "cat \"$TRAINMAKE_DATA_DIR/model/m.txt\"");
  spec.data = {
      {"//job:other", "model", std::make_shared<const Listing>(Listing{world.stored("m.txt", "weights")})}};
  std::stop_source stop;
  stop.request_stop();
  std::vector<std::string> told;
  const auto answers = world.platform.submit_all(
      {{spec, {}, {stop.get_token(), [&](std::string text) { told.push_back(std::move(text)); }}}});
  ASSERT_FALSE(answers.front());
  EXPECT_EQ(answers.front().error().blame, Blame::kInterrupted);
  EXPECT_EQ(told,
            std::vector<std::string>{"Interrupted while its files were copied: nothing of it was started"});
  EXPECT_EQ(world.processes.started, 0);
  EXPECT_FALSE(world.folder.has("cache/runs/run1/data/model/m.txt"));
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "weights");
}

TEST(LocalPlatform, ASecretReachesTheJobAndNoFile) {
  LocalWorld world;
  const std::string secret = "s3cr3t-value";
  JobSpec spec = script_spec(1, "echo \"token $API_TOKEN.\"; printf %s \"${#API_TOKEN}\"");
  spec.secrets = {"API_TOKEN"};
  world.run(spec, {{"API_TOKEN", secret}});
  EXPECT_EQ(world.log(spec), "token ***.\n12");
  EXPECT_EQ(everything_in(world.folder.path()).find(secret), std::string::npos);
}

TEST(LocalPlatform, AJobThatTakesTooLongIsEnded) {
  LocalWorld world;
  JobSpec spec = script_spec(1, "echo begun; exec sleep 60");
  spec.timeout_s = 1;
  const JobStatus status = world.run(spec);
  EXPECT_EQ(status.status, RunStatus::kFailed);
  EXPECT_TRUE(status.reason.starts_with("timed out after 1")) << status.reason;
}

TEST(LocalPlatform, ASignalIsNamed) {
  LocalWorld world;
  EXPECT_EQ(world.run(script_spec(1, "kill -9 $$")).reason, "killed by signal 9 (out of memory?)");
}

JobSpec with_resource(JobSpec spec, const char* name, Value value) {
  spec.resources.fields.push_back({name, std::move(value)});
  return spec;
}

TEST(LocalPlatform, AJobThatNeedsMoreMemoryThanItAskedForIsOutOfMemory) {
  LocalWorld world;
  // A line is kept as a whole.
  const JobSpec spec =
      with_resource(script_spec(1, "head -c 200000000 /dev/zero | exec tail -n 1 > /dev/null; exit $?"),
                    "memory", text_value("50M"));
  const JobStatus status = world.run(spec);
  EXPECT_EQ(status.status, RunStatus::kFailed) << world.log(spec);
  const LimitedResources limited(real_file_system(), {1U << 30U, 0}, "probe");
  if (limited.memory_by() != "a cgroup") GTEST_SKIP() << "no cgroup can be made here";
  EXPECT_EQ(status.reason, "out of memory: it may use 50.0 MiB");
}

TEST(LocalPlatform, AJobHasTheProcessorsItAskedFor) {
  LocalWorld world;
  Value one;
  one.data = std::int64_t{1};
  const LimitedResources limited(real_file_system(), {0, 1}, "probe");
  const bool by_group = limited.cpus_by() == "a cgroup";
  const JobSpec spec = with_resource(
      script_spec(1, by_group
                         ? "cat /sys/fs/cgroup/cpu*/trainmake-*-run1/cpu.cfs_quota_us "
                           "/sys/fs/cgroup/trainmake-*-run1/cpu.max 2>/dev/null | cut -d' ' -f1 | sort -u"
                         : "nproc"),
      "cpus", one);
  world.run(spec);
  EXPECT_EQ(world.log(spec), by_group ? "100000\n" : "1\n");
}

TEST(LocalPlatform, ASizeThatIsNoneIsAnError) {
  LocalWorld world;
  const JobSpec spec = with_resource(script_spec(1, "true"), "memory", text_value("plenty"));
  EXPECT_FALSE(world.platform.admits({spec.resources}, Asking::kNobody));
  EXPECT_FALSE(world.platform.submit(spec, {}));
}

TEST(LocalPlatform, AProgramThatIsNotThereIsAReason) {
  LocalWorld world;
  JobSpec spec = spec_named(1);
  spec.command = {text_value("no-such-program")};
  const JobStatus status = world.run(spec);
  EXPECT_EQ(status.status, RunStatus::kFailed);
  EXPECT_NE(status.reason.find("no-such-program"), std::string::npos) << status.reason;
}

TEST(LocalPlatform, OfManySupervisorsOneRunsTheJob) {
  LocalWorld world;
  const JobSpec spec = script_spec(1, cat("printf x >> ", world.folder.path("starts"), "; sleep 0.05"));
  const RunFolder run = world.platform.folder_of(spec.run);
  world.processes.lose_next = true;  // prepares, and starts none
  HastyClock hasty;
  Host host{real_file_system(), world.processes, world.http, hasty, world.environment};
  LocalPlatform platform(host, world.workspace, world.blobs);
  EXPECT_FALSE(platform.submit(spec, {}));
  std::filesystem::remove(run.started());  // as if that client had not lived to give it up
  EXPECT_EQ(world.platform.poll({spec.run, spec.key, ""})->status, RunStatus::kQueued);
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 8; ++i)
      clients.emplace_back([&] { (void)world.processes.start_detached({{"", "", run.top}, {}, ""}); });
  }
  EXPECT_EQ(world.await_end({spec.run, spec.key, ""}).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.submit(spec).run, spec.run);
  EXPECT_EQ(world.folder.read("starts"), "x");
}

TEST(LocalPlatform, AStartThatWasGivenUpNeverComes) {
  LocalWorld world;
  const JobSpec spec = script_spec(1, cat("printf x >> ", world.folder.path("starts")));
  world.processes.lose_next = true;
  HastyClock hasty;
  Host host{real_file_system(), world.processes, world.http, hasty, world.environment};
  LocalPlatform platform(host, world.workspace, world.blobs);
  const auto job = platform.submit(spec, {});
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().blame, Blame::kStep);
  // The supervisor comes late.
  EXPECT_TRUE(world.processes.start_detached({{"", "", platform.folder_of(spec.run).top}, {}, ""}));
  EXPECT_EQ(world.await_end({spec.run, spec.key, ""}).status, RunStatus::kLost);
  EXPECT_FALSE(world.folder.has("starts"));
}

// Starts the supervisor when the client asks for the time to write into `started`: at the very last moment.
TEST(LocalPlatform, AStartAtTheLastMomentIsASubmission) {
  LocalWorld world;
  const JobSpec spec = script_spec(1, cat("printf x >> ", world.folder.path("starts")));
  struct LateClock final : Clock {
    std::int64_t now_ns() override {
      if (!start) return real_clock().now_ns();
      std::exchange(start, nullptr)();
      return real_clock().now_ns();
    }
    std::int64_t steady_ns() override { return steady += 15'000'000'000; }
    bool wait(std::chrono::milliseconds, std::stop_token) override { return false; }
    std::function<void()> start;
    std::int64_t steady = 0;
  } late;
  const std::string top = world.platform.folder_of(spec.run).top;
  world.processes.lose_next = true;
  late.start = [&] {
    (void)world.processes.start_detached({{"", "", top}, {}, ""});
    world.await({spec.run, spec.key, ""}, [](const JobStatus& status) { return status.started_ns != 0; });
  };
  Host host{real_file_system(), world.processes, world.http, late, world.environment};
  LocalPlatform platform(host, world.workspace, world.blobs);
  EXPECT_TRUE(platform.submit(spec, {}));
  EXPECT_EQ(world.await_end({spec.run, spec.key, ""}).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.folder.read("starts"), "x");
}

TEST(LocalPlatform, ASubmissionCutShortIsCompletedByTheNext) {
  LocalWorld world;
  JobSpec spec = script_spec(1, "cat \"$TRAINMAKE_CODE_DIR/a.txt\"; ls \"$TRAINMAKE_CODE_DIR\"");
  spec.code = std::make_shared<const Listing>(Listing{world.stored("a.txt", "whole\n")});
  const RunFolder run = world.platform.folder_of(spec.run);
  world.folder.write("cache/runs/run1/code/b.txt", "half");  // as if killed while it was laid out
  world.run(spec);
  EXPECT_EQ(world.log(spec), "whole\na.txt\n");
}

TEST(LocalPlatform, AJobWhoseSupervisorWasKilledIsLost) {
  LocalWorld world;
  const JobHandle job = world.submit(script_spec(1, "echo begun; exec sleep 60"));
  world.await(job, [](const JobStatus& status) { return status.status == RunStatus::kRunning; });
  ASSERT_EQ(::kill(std::stoi(job.job), SIGKILL), 0);
  EXPECT_EQ(world.await_end(job).status, RunStatus::kLost);
}

TEST(LocalPlatform, ARunThatMemoryForgotIsRunAgain) {
  LocalWorld world;
  const JobSpec spec = script_spec(
      1, cat("printf x >> ", world.folder.path("starts"), "; printf r > \"$TRAINMAKE_OUTPUT_DIR/o.txt\""));
  world.run(spec);
  ASSERT_TRUE(world.platform.settled({spec.run, spec.key, ""}, RunStatus::kSucceeded, {"o.txt"}));
  EXPECT_FALSE(world.folder.has("cache/runs/run1/output/o.txt"));
  world.run(spec);
  EXPECT_EQ(world.folder.read("starts"), "xx");
  EXPECT_TRUE(world.folder.has("cache/runs/run1/output/o.txt"));
}

TEST(LocalPlatform, WhatLiesBeyondALinkInTheOutputStays) {
  LocalWorld world;
  world.folder.write("elsewhere/o.txt", "theirs");
  world.folder.write("elsewhere/sub/p.txt", "theirs");
  const JobSpec spec =
      script_spec(1, cat("ln -s ", world.folder.path("elsewhere"), " \"$TRAINMAKE_OUTPUT_DIR/linked\""));
  world.run(spec);
  ASSERT_TRUE(world.platform.settled({spec.run, spec.key, ""}, RunStatus::kSucceeded,
                                     {"linked/o.txt", "linked/sub/p.txt"}));
  EXPECT_EQ(world.folder.read("elsewhere/o.txt"), "theirs");
  EXPECT_EQ(world.folder.read("elsewhere/sub/p.txt"), "theirs");
}

TEST(LocalPlatform, ACheckpointStaysAfterAFailureAndGoesWithASuccess) {
  for (const bool succeeds : {false, true}) {
    LocalWorld world;
    const JobSpec spec =
        script_spec(1, cat("echo 7 > \"$TRAINMAKE_CHECKPOINT_DIR/step\"; exit ", succeeds ? "0" : "1"));
    const RunStatus end = world.run(spec).status;
    ASSERT_EQ(end, succeeds ? RunStatus::kSucceeded : RunStatus::kFailed);
    const JobHandle job{spec.run, spec.key, ""};
    ASSERT_TRUE(world.platform.settled(job, end, {}));
    const std::string place = succeeds ? "runs/run1/checkpoint" : cat("checkpoints/", spec.checkpoint);
    EXPECT_EQ(*world.platform.left(job, {Left::kCheckpoint}), world.folder.path(cat("cache/", place)));
    EXPECT_EQ(world.folder.read(cat("cache/", place, "/step")), "7\n");
  }
}

TEST(LocalPlatform, ACheckpointIsFoundWhenGcLeftNothingElseOfItsRun) {
  LocalWorld world;
  JobSpec spec = script_spec(1, "echo 7 > \"$TRAINMAKE_CHECKPOINT_DIR/step\"; exit 1");
  spec.checkpoint = own_checkpoint(spec.run);
  world.run(spec);
  std::filesystem::rename(world.folder.path("cache/runs/run1"),
                          world.folder.path("gone"));  // its supervisor may tidy up yet
  const std::string folder = *world.platform.left({spec.run, spec.key, ""}, {Left::kCheckpoint});
  EXPECT_EQ(*read_file(real_file_system(), path_join(folder, "step")), "7\n");
}

TEST(LocalPlatform, WhatLiesWhereItsCheckpointWillBeIsPutAside) {
  LocalWorld world;
  const JobSpec spec = script_spec(1, "ls \"$TRAINMAKE_CHECKPOINT_DIR\"");
  world.folder.write(cat("cache/checkpoints/", spec.checkpoint, "/step"), "of a run that was forgotten");
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "");
  EXPECT_TRUE(world.folder.has(cat("cache/checkpoints/", spec.checkpoint, ".earlier/step")));
}

TEST(LocalPlatform, AnOrderWithoutACheckpointIsAnError) {
  LocalWorld world;
  const RunFolder run = world.platform.folder_of("run1");
  Order order;
  order.job.arguments = {"true"};
  ASSERT_TRUE(write_file(real_file_system(), run.order(), render(order)));
  const auto settled = world.platform.settled({"run1", "", ""}, RunStatus::kSucceeded, {});
  ASSERT_FALSE(settled);
  EXPECT_NE(settled.error().message.find("TRAINMAKE_CHECKPOINT_DIR"), std::string::npos);
}

TEST(PatientLog, SaysWhatItLost) {
  std::string kept;
  bool full = false;
  PatientLog log([&](std::string_view bytes) -> Result<void> {
    if (full) return fail(step_error("No space left on device"));
    kept += bytes;
    return {};
  });
  log.append("one");
  full = true;
  log.append("two");
  log.append("three");
  log.append("");
  log.finish();
  EXPECT_EQ(kept, "one");
  full = false;
  log.append("four\n");
  log.finish();
  EXPECT_EQ(kept, "one\nUp to 8 bytes of the log were lost\nfour\n");
  EXPECT_EQ(log.lost_in_all(), 8U);
}

// A job that prints to where nothing can be written.
struct FullWorld : LocalWorld {
  JobHandle submit(const std::string& script) {
    const JobSpec spec = script_spec(1, script);
    const RunFolder run = platform.folder_of(spec.run);
    EXPECT_TRUE(
        prepare(real_file_system(), blobs, spec, run,
                {default_contract(), folder.path(), folder.path("cache/checkpoints/c"), "/usr/bin:/bin"}));
    std::filesystem::create_symlink("/dev/full", run.log());
    return LocalWorld::submit(spec);
  }
};

TEST(LocalPlatform, AFullDiskDoesNotEndAJobThatPrintsAndIsToldWithItsEnd) {
  FullWorld world;
  const JobStatus end =
      world.await_end(world.submit("echo to nobody; printf r > \"$TRAINMAKE_OUTPUT_DIR/o.txt\""));
  EXPECT_EQ(end.status, RunStatus::kSucceeded);
  EXPECT_EQ(end.reason, "up to 10 B of its log were lost, as they could not be written");
  EXPECT_TRUE(world.folder.has("cache/runs/run1/output/o.txt"));
}

TEST(LocalPlatform, AFullDiskIsToldWhileTheJobGoesOn) {
  FullWorld world;
  const JobHandle job = world.submit(
      cat("echo to nobody; until test -e ", world.folder.path("gate"), "; do sleep 0.01; done; exit 3"));
  const JobStatus told = world.await(job, [](const JobStatus& status) { return !status.reason.empty(); });
  EXPECT_EQ(told.status, RunStatus::kRunning);
  EXPECT_EQ(told.reason, cat("the disk of `", world.platform.folder_of(job.run).top,
                             "` is full: free some room; what it prints is lost meanwhile"));
  world.folder.write("gate", "");
  EXPECT_EQ(world.await_end(job).reason,
            "exit code 3; up to 10 B of its log were lost, as they could not be written");
}

TEST(LocalPlatform, AnEndThatCannotBeWrittenDownIsTriedAgainAndSaysSo) {
  LocalWorld world;
  // Something is in its way, and goes after a while.
  const JobHandle job = world.submit(script_spec(1, "mkdir -p ../exit.json/x"));
  const RunFolder run = world.platform.folder_of(job.run);
  std::string said;
  world.await(job, [&](const JobStatus&) {
    said = ReservedFile::said_in(read_file(real_file_system(), run.reserve()).value_or(""));
    return !said.empty();
  });
  EXPECT_TRUE(said.starts_with("its end cannot be written, and that is tried again: Cannot ")) << said;
  std::filesystem::remove_all(run.exit());
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
}

TEST(LocalPlatform, AnOrderWithoutAReserveIsRunAllTheSame) {
  LocalWorld world;
  const JobHandle job = world.submit(script_spec(1, "rm ../reserve; exit 3"));
  EXPECT_EQ(world.await_end(job).reason, "exit code 3");
}

TEST(RunFolder, AnOrderSurvivesTheDisk) {
  Order order;
  order.job.arguments = {"sh", "-c", "\xff\n"};
  order.job.environment = {{"A", "1"}};
  order.job.folder = "/code";
  order.read_only = {{"/in", "/ro/0"}};
  order.secrets = {"TOKEN"};
  order.timeout_s = 7;
  order.container = ContainerOrder{
      {Runtime::Kind::kRunc, "/usr/sbin/runc"}, "/layers", {"ab", "cd"}, "1000", true, {{"/a", "/b", true}}};
  order.container->gpus = ContainerGpus{"/cdi"};
  order.container->wanted = "apptainer";
  order.gpus = GpuRequest{2, "/bin", "0,1", "/queue"};
  order.seen = {{"/checkpoints/run-1", "/checkpoint"}};
  const auto read = parse_order(render(order));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->seen, order.seen);
  EXPECT_EQ(checkpoint_of(*read), "/checkpoints/run-1");
  EXPECT_EQ(read->job.arguments, order.job.arguments);
  EXPECT_EQ(read->job.environment, order.job.environment);
  EXPECT_EQ(read->read_only, order.read_only);
  EXPECT_EQ(read->secrets, order.secrets);
  EXPECT_EQ(read->timeout_s, 7);
  EXPECT_EQ(read->gpus->count, 2U);
  EXPECT_EQ(read->gpus->path, "/bin");
  EXPECT_EQ(read->gpus->visible, "0,1");
  EXPECT_EQ(read->gpus->queue, "/queue");
  EXPECT_EQ(read->container->runtime.program, "/usr/sbin/runc");
  EXPECT_EQ(read->container->layers, order.container->layers);
  EXPECT_EQ(read->container->user, "1000");
  EXPECT_TRUE(read->container->network);
  EXPECT_EQ(read->container->gpus->cdi, "/cdi");
  EXPECT_EQ(read->container->wanted, "apptainer");
  EXPECT_EQ(read->container->mounts, order.container->mounts);
  EXPECT_FALSE(parse_order(render(order).substr(0, 40)));
  EXPECT_FALSE(parse_order(""));
}

TEST(RunFolder, AnOrderFromBeforeACheckpointWasSeenElsewhereIsRead) {
  Order order;
  order.job.arguments = {"a"};
  order.job.environment = {{"TRAINMAKE_CHECKPOINT_DIR", "/checkpoints/run-1"}};
  std::string bytes = render(order);
  bytes.replace(bytes.find("-2\n"), 3, "-1\n");
  bytes.resize(bytes.size() - 8);  // how many are seen
  const auto read = parse_order(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(checkpoint_of(*read), "/checkpoints/run-1");
}

TEST(RunFolder, AnOrderOfSeveralProcessesSurvivesTheDisk) {
  Order order;
  order.job.arguments = {"a"};
  order.distribution = Distribution{.kind = Distribution::Kind::kTfConfig, .servers = 1, .chief = "chief"};
  order.tasks = {{{"a", "b"}, {{"A", "1"}}, "/f"}, {{"c"}, {}, "/g"}};
  const std::string bytes = render(order);
  const auto read = parse_order(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->distribution, order.distribution);
  ASSERT_EQ(read->tasks.size(), 2U);
  EXPECT_EQ(read->tasks[0].arguments, order.tasks[0].arguments);
  EXPECT_EQ(read->tasks[1].folder, "/g");
  for (std::size_t size = bytes.size() - 1; size > bytes.size() - 60; --size)
    EXPECT_FALSE(parse_order(std::string_view(bytes).substr(0, size))) << size;
}

TEST(RunFolder, AStartSurvivesTheDisk) {
  const Start start{17, 5, 9, "a-boot", 77};
  EXPECT_EQ(parse_start(render(start)), start);
  const Start of_no_session{17, 5, 0, "", 77};
  EXPECT_EQ(parse_start(render(of_no_session)), of_no_session);
  const Start before{17, 5, 9, "a-boot", 0};
  EXPECT_EQ(parse_start("17 5 9 a-boot\n"), before) << "as it was written before";
  EXPECT_EQ(parse_start("17 5\n"), (Start{17, 5, 0, "", 0})) << "and before that";
  EXPECT_FALSE(parse_start("17\n"));
  EXPECT_FALSE(parse_start("a 5\n"));
  EXPECT_FALSE(parse_start("17 5x\n"));
  EXPECT_FALSE(parse_start("17 5 9 a-boot x\n"));
}

TEST(RunFolder, AnEndIsToldAsAStatus) {
  const auto told = [](Exit exit) { return status_of(*parse_exit(render(exit))); };
  Exit good;
  good.started_ns = 5, good.ended_ns = 9;
  EXPECT_EQ(told(good).status, RunStatus::kSucceeded);
  EXPECT_EQ(told(good).ended_ns, 9);
  Exit bad = good;
  bad.end.exit_code = 3;
  EXPECT_EQ(told(bad).reason, "exit code 3");
  bad.end = {137, 9};
  EXPECT_EQ(told(bad).reason, "killed by signal 9 (out of memory?)");
  bad.cancelled = true;
  EXPECT_EQ(told(bad).status, RunStatus::kCancelled);
  good.log_lost = 2048;
  EXPECT_EQ(told(good).reason, "up to 2.0 KiB of its log were lost, as they could not be written");
  EXPECT_FALSE(parse_exit("{"));
  EXPECT_FALSE(parse_exit("[]"));
}

}  // namespace
}  // namespace trainmake
