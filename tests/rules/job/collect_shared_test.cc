// What gc removes from a folder that workspaces share, and what it leaves.
#include "rules/job/platforms/slurm/collect_shared.h"

#include <gtest/gtest.h>

#include "rules/job/checkpoint.h"
#include "rules/job/platforms/slurm/collect_ports.h"
#include "rules/job/platforms/slurm/shared_files.h"
#include "tests/rules/job/container_world.h"

namespace trainmake {
namespace {

struct SharedWorld : SlurmWorld {
  JobSpec with_data(int number, const std::string& content, const std::string& script = "true") {
    JobSpec spec = script_spec(number, script);
    Listing code;
    code.push_back(stored("train.py", cat("print(", number, ")")));
    spec.code = std::make_shared<const Listing>(std::move(code));
    spec.data = {tree({stored("a.txt", content)})};
    return spec;
  }
  std::size_t count(const std::string& below) {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path("shared/" + below)))
      files += entry.is_regular_file() ? 1 : 0;
    return files;
  }
  std::size_t trees() { return real_file_system().list(folder.path("shared/trees"))->size(); }
  SharedSwept collect(KeepShared keep = {.logs = 0,
                                         .young = std::chrono::hours(0),
                                         .copies = std::chrono::hours(0)},
                      std::vector<Run> runs = {}) {
    const auto swept = collect_shared(host, workspace, options.shared_dir, runs, keep);
    EXPECT_TRUE(swept) << (swept ? "" : swept.error().message);
    return swept.value_or(SharedSwept());
  }
  void settle(const JobSpec& spec) {
    ASSERT_TRUE(platform.settled({spec.run, spec.key, ""}, await_end({spec.run, spec.key, ""}).status, {}));
  }
};

TEST(CollectShared, WhatNoRunInFlightWasGivenGoesWhenItIsOld) {
  SharedWorld world;
  const JobSpec done = world.with_data(1, "done"), waiting = world.with_data(2, "waiting");
  world.submit(done);
  world.settle(done);
  world.slurm.hold_jobs = true;
  world.submit(waiting);
  EXPECT_EQ(world.trees(), 4U);
  EXPECT_EQ(world.collect({.logs = 0, .copies = std::chrono::hours(0)}).shared.count, 0U) << "it is young";
  EXPECT_EQ(world.trees(), 4U);
  world.collect();
  EXPECT_EQ(world.trees(), 2U);
  EXPECT_EQ(world.count("content"), 1U);
  EXPECT_FALSE(world.folder.has(world.run_of(done).top));
  world.slurm.start("2");
  EXPECT_EQ(world.await_end({waiting.run, waiting.key, ""}).status, RunStatus::kSucceeded);
}

TEST(CollectShared, WhatContainersNeedGoesWithTheLastRunThatHasIt) {
  if (const std::string why = ContainerWorld::why_not(); !why.empty()) GTEST_SKIP() << why;
  SlurmContainerWorld world;
  const auto has_all = [&] {
    return world.folder.has(cat("shared/images-", ::geteuid(), "/layers/", world.root.layers.front())) &&
           !real_file_system().list(world.folder.path("shared/programs"))->empty();
  };
  const auto collect = [&] {
    const KeepShared nothing{.logs = 0, .young = std::chrono::hours(0), .copies = std::chrono::hours(0)};
    EXPECT_TRUE(collect_shared(world.host, world.workspace, world.options.shared_dir, {}, nothing));
  };
  const JobSpec spec = world.inside(script_spec(1, "true"));
  world.slurm.hold_jobs = true;
  world.submit(spec);
  collect();
  EXPECT_TRUE(has_all());
  world.slurm.start("1");
  EXPECT_EQ(world.await_end({spec.run, spec.key, ""}).status, RunStatus::kSucceeded) << world.log(spec);
  ASSERT_TRUE(world.platform.settled({spec.run, spec.key, ""}, RunStatus::kSucceeded, {}));
  collect();
  EXPECT_FALSE(has_all());
}

TEST(CollectShared, AnotherWorkspacesRunsKeepWhatTheyWereGiven) {
  SharedWorld world;
  world.slurm.hold_jobs = true;
  world.submit(world.with_data(1, "theirs"));
  SharedWorld other;
  const auto swept =
      collect_shared(other.host, other.workspace, world.options.shared_dir, {},
                     {.logs = 0, .young = std::chrono::hours(0), .copies = std::chrono::hours(0)});
  ASSERT_TRUE(swept);
  EXPECT_EQ(world.trees(), 2U);
  EXPECT_EQ(world.count("content"), 1U);
}

TEST(CollectShared, WhileSomebodyPlacesFilesWhatIsSharedStays) {
  SharedWorld world;
  const JobSpec spec = world.with_data(1, "a");
  world.submit(spec);
  world.settle(spec);
  SharedFiles shared(world.host, world.workspace, world.blobs, world.options.shared_dir);
  {
    const auto held = shared.hold();
    EXPECT_TRUE(world.collect().is_busy);
  }
  EXPECT_EQ(world.trees(), 2U);
  EXPECT_FALSE(world.collect().is_busy);
  EXPECT_EQ(world.trees(), 0U);
}

TEST(CollectShared, TheNewestKeepTheirLogsAndRunsInFlightEverything) {
  SharedWorld world;
  const JobSpec spec = script_spec(1, "echo told"), going = script_spec(2, "true");
  world.submit(spec);
  world.await_end({spec.run, spec.key, ""});
  trainmake::Run run;
  run.id = spec.run;
  run.status = RunStatus::kSucceeded;
  const KeepShared keep{.logs = 1, .young = std::chrono::hours(0), .copies = std::chrono::hours(0)};
  EXPECT_EQ(world.collect(keep, {run}).runs.count, 0U) << "its end is not remembered";
  world.settle(spec);
  EXPECT_EQ(world.collect({.logs = 1}, {run}).runs.count, 0U) << "a copy may want it";
  EXPECT_EQ(world.collect(keep, {run}).runs.count, 1U);
  EXPECT_EQ(world.log(spec), "told\n");
  EXPECT_FALSE(world.folder.has(world.run_of(spec).output()));
}

TEST(CollectShared, AnArraysFolderGoesWithItsRuns) {
  SharedWorld world;
  const std::vector<Submission> jobs = {{script_spec(1, "true"), {}}, {script_spec(2, "true"), {}}};
  world.platform.submit_all(jobs);
  world.settle(jobs[0].spec);
  world.collect();
  EXPECT_EQ(world.count("arrays"), 1U);
  world.settle(jobs[1].spec);
  world.collect();
  EXPECT_EQ(world.count("arrays"), 0U);
}

TEST(CollectShared, ACheckpointGoesWhenItIsKeptOrNobodyCameForItInLong) {
  SharedWorld world;
  JobSpec spec = script_spec(1, "exit 1");
  spec.checkpoint = own_checkpoint(spec.run);
  const std::string folder = own_checkpoint_folder(world.run_of(spec));
  world.submit(spec);
  world.await_end({spec.run, spec.key, ""});
  const auto is_there_after = [&](std::chrono::hours young, const char* provenance) {
    trainmake::Run run;
    run.id = spec.run;
    run.provenance_json = provenance;
    world.collect({.logs = 0, .young = young, .copies = std::chrono::hours(0)}, {run});
    return std::filesystem::exists(folder);
  };
  const std::chrono::hours long_ago(24), now(0);
  EXPECT_TRUE(is_there_after(now, "{}")) << "its end is not remembered";
  world.settle(spec);
  EXPECT_TRUE(is_there_after(long_ago, "{}"));
  EXPECT_TRUE(is_there_after(long_ago, R"({"checkpoint":null})")) << "its run is gone by now";
  EXPECT_FALSE(is_there_after(long_ago, R"({"checkpoint":{"listing":"00"}})"));
  std::filesystem::create_directories(folder + ".earlier");
  std::filesystem::create_directories(folder);
  EXPECT_FALSE(is_there_after(now, "{}"));
  EXPECT_FALSE(std::filesystem::exists(folder + ".earlier"));
}

TEST(CollectPorts, ThoseOfJobsThatAreOverAreGivenBack) {
  SharedWorld world;
  world.slurm.hold_jobs = true;
  const std::string active = world.submit(script_spec(1, "true")).job;
  const std::string ports = world.folder.path("shared/ports");
  std::filesystem::create_directories(ports);
  const auto take = [&](const std::string& address, const std::string& number) {
    std::filesystem::create_symlink(number, path_join(ports, address));
  };
  take("n:1", active);
  take("n:2", "77");
  take("n:3", "77");
  take("n:4", "78_2");
  take("n:5", "whatever");
  const auto left = [&] {
    std::string names;
    const std::vector<FolderEntry> entries = *real_file_system().list(ports);
    for (const FolderEntry& entry : entries) names += cat(entry.name, " ");
    return names;
  };
  world.slurm.failing.emplace("scontrol", ProcessResult{1, "", "scontrol: error: who knows\n"});
  EXPECT_EQ(collect_ports(world.host, world.options.shared_dir)->count, 0U);
  world.slurm.failing.clear();
  world.slurm.empty_answers = 1;
  EXPECT_EQ(collect_ports(world.host, world.options.shared_dir)->count, 3U);
  EXPECT_EQ(left(), "n:1 n:5 ");
}

}  // namespace
}  // namespace trainmake
