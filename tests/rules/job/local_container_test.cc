// Jobs in containers of their image: what they see of this machine, and that they end as others do.
#include <signal.h>

#include "tests/rules/job/container_world.h"

namespace trainmake {
namespace {

class LocalContainer : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = ContainerWorld::why_not(); !why.empty()) GTEST_SKIP() << why;
  }

  static int supervisor_of(const ContainerWorld& world, const JobSpec& spec) {
    const auto text = read_file(real_file_system(), world.platform.folder_of(spec.run).started());
    return parse_start(*text)->supervisor;
  }
};

TEST_F(LocalContainer, IsAnotherContract) {
  EXPECT_NE(ContainerWorld().platform.traits.contract.version, LocalWorld().platform.traits.contract.version);
  EXPECT_NE(ContainerWorld().platform.traits.contract.version,
            ContainerWorld({.container = true, .network = true}).platform.traits.contract.version);
}

TEST_F(LocalContainer, TheImageAndTheContractSayWhatIsInTheEnvironment) {
  ContainerWorld world;
  world.environment.variables["LEAK"] = "1";
  world.root.environment = {{"PATH", "/bin"}, {"OF_IMAGE", "1"}, {"MODE", "slow"}};
  JobSpec spec = world.inside(script_spec(1, "env | sort"));
  spec.environment = {{"MODE", "fast"}};
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec),
            "HOME=/home/job\nLANG=C.UTF-8\nMODE=fast\nOF_IMAGE=1\nPATH=/bin\nPWD=/code\nSHLVL=1\n"
            "TRAINMAKE_CHECKPOINT_DIR=/checkpoint\nTRAINMAKE_CODE_DIR=/code\nTRAINMAKE_DATA_DIR=/data\n"
            "TRAINMAKE_LABEL=//job:j\nTRAINMAKE_LOG_DIR=/log\nTRAINMAKE_OUTPUT_DIR=/output\n"
            "TRAINMAKE_PARAMS=/run/trainmake/params.json\nTRAINMAKE_RUN=run1\n");
}

TEST_F(LocalContainer, DataIsReadOnlyWhereItsChannelSays) {
  ContainerWorld world;
  world.folder.write("in/train/x/1.txt", "one ");
  world.folder.write("far/2.txt", "two ");
  std::filesystem::create_symlink("../far/2.txt", world.folder.path("in/2.txt"));
  JobSpec spec = world.inside(script_spec(
      1,
      "cat /data/train/x/1.txt /data/2.txt /data/model/m.txt; (: > /data/train/x/1.txt) 2>/dev/null "
      "|| (: > /data/new) 2>/dev/null || echo refused"));
  spec.data = {
      world.in_place({{"x/1.txt", "in/train/x/1.txt"}}, "train"),
      world.in_place({{"2.txt", "in/2.txt"}}),
      {"//job:other", "model", std::make_shared<const Listing>(Listing{world.stored("m.txt", "m ")})}};
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "one two m refused\n");
}

TEST_F(LocalContainer, UnderAContractItsOwnPathsHold) {
  ContainerWorld world({.container = true}, *contract_named(Space(), "uai"));
  world.folder.write("in/1.txt", "one ");
  JobSpec spec = world.inside(script_spec(
      1, "pwd; cat data/1.txt part.txt; echo 7 > /data/output/checkpoint/step; echo x > /data/output/o.txt"));
  spec.code = std::make_shared<const Listing>(Listing{world.stored("part.txt", "code\n")});
  spec.data = {world.in_place({{"1.txt", "in/1.txt"}})};
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "/data\none code\n");
  EXPECT_EQ(world.folder.read("cache/runs/run1/output/o.txt"), "x\n");
  ASSERT_TRUE(world.platform.settled({spec.run, spec.key, ""}, RunStatus::kSucceeded, {}));
  EXPECT_EQ(world.folder.read("cache/runs/run1/checkpoint/step"), "7\n");
}

TEST_F(LocalContainer, AProgramAmongTheCodeIsFoundWhereTheContractHasIt) {
  ContainerWorld world({.container = true}, *contract_named(Space(), "uai"));
  JobSpec spec = world.inside(spec_named(1));
  spec.code = std::make_shared<const Listing>(Listing{world.stored("run", "#!/bin/sh\necho $1\n", 0755)});
  spec.main = "run";
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "--work_dir=/data\n");
}

TEST_F(LocalContainer, SeesNothingElseAndHasNoNetwork) {
  ContainerWorld world;
  const JobSpec spec =
      world.inside(script_spec(1, cat("ls / | tr '\\n' ' '; ls ", world.folder.path(),
                                      " 2>/dev/null || echo nothing; busybox ip -o link | busybox wc -l")));
  world.run(spec);
  EXPECT_EQ(world.log(spec), "bin checkpoint code dev etc home log output proc run sys tmp nothing\n1\n");
}

TEST_F(LocalContainer, ItsOutputIsOurs) {
  ContainerWorld world;
  const JobSpec spec = world.inside(script_spec(1, "echo x > /output/o.txt"));
  world.run(spec);
  struct stat stat {};
  ASSERT_EQ(::stat(world.folder.path("cache/runs/run1/output/o.txt").c_str(), &stat), 0);
  EXPECT_EQ(stat.st_uid, geteuid());
}

TEST_F(LocalContainer, AUserOfTheImageMayWriteItsOutput) {
  if (geteuid() != 0) GTEST_SKIP() << "without root a job is root of its container";
  ContainerWorld world;
  world.root.user = "1000:1001";
  const JobSpec spec = world.inside(script_spec(1, "id -u; echo x > /output/o.txt; ls $HOME"));
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "1000\n");
}

TEST_F(LocalContainer, ASecretReachesTheJobAndNoFile) {
  ContainerWorld world;
  JobSpec spec = world.inside(script_spec(1, "echo \"token $API_TOKEN.\"; printf %s \"${#API_TOKEN}\""));
  spec.secrets = {"API_TOKEN"};
  world.run(spec, {{"API_TOKEN", "s3cr3t-value"}});
  EXPECT_EQ(world.log(spec), "token ***.\n12");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(world.folder.path("cache")))
    if (entry.is_regular_file()) {
      EXPECT_EQ(read_file(real_file_system(), entry.path().string())->find("s3cr3t"), std::string::npos)
          << entry.path();
    }
}

TEST_F(LocalContainer, ASignalIsNamed) {
  ContainerWorld world;
  const JobStatus status = world.run(world.inside(script_spec(1, "kill -9 $$")));
  EXPECT_EQ(status.reason, "killed by signal 9 (out of memory?)");
  EXPECT_EQ(status.exit_code, 137);
}

TEST_F(LocalContainer, OneThatIsAskedToEndHasTheTimeToFinishItsWork) {
  ContainerWorld world;
  const JobSpec spec = world.inside(script_spec(
      1,
      "trap 'echo ending; echo x > /output/o.txt; exit 0' TERM; echo up; while true; do sleep 0.01; done"));
  const JobHandle job = world.submit(spec);
  world.await(job, [&](const JobStatus&) { return world.log(spec) == "up\n"; });
  ASSERT_TRUE(world.platform.cancel(job));
  EXPECT_EQ(world.await_end(job).status, RunStatus::kCancelled);
  EXPECT_TRUE(world.log(spec).ends_with("ending\n")) << world.log(spec);
}

TEST_F(LocalContainer, OneThatIsOnlyBeingStartedEndsAtOnce) {
  ContainerWorld world;
  const std::int64_t began = real_clock().steady_ns();
  const JobHandle job = world.submit(world.inside(script_spec(1, "sleep 60")));
  ASSERT_TRUE(world.platform.cancel(job));
  EXPECT_EQ(world.await_end(job).status, RunStatus::kCancelled);
  EXPECT_LT(real_clock().steady_ns() - began, 8'000'000'000);
}

TEST_F(LocalContainer, AJobThatTakesTooLongIsEnded) {
  ContainerWorld world;
  JobSpec spec = world.inside(script_spec(1, "echo begun; exec sleep 60"));
  spec.timeout_s = 1;
  const JobStatus status = world.run(spec);
  EXPECT_TRUE(status.reason.starts_with("timed out after 1")) << status.reason;
  EXPECT_LT(status.ended_ns - status.started_ns, 8'000'000'000) << "it was not asked, only killed";
}

TEST_F(LocalContainer, AProgramThatIsNotInTheImageIsAReason) {
  ContainerWorld world;
  JobSpec spec = world.inside(spec_named(1));
  spec.command = {text_value("python3")};
  const JobStatus status = world.run(spec);
  EXPECT_EQ(status.status, RunStatus::kFailed);
  EXPECT_NE(status.reason.find("The image has no program `python3` in its PATH"), std::string::npos)
      << status.reason;
}

TEST_F(LocalContainer, GoesWithItsSupervisor) {
  ContainerWorld world;
  const JobSpec spec = world.inside(script_spec(1, "(sleep 60 &); echo up; sleep 60"));
  const JobHandle job = world.submit(spec);
  world.await(job, [&](const JobStatus&) { return world.log(spec) == "up\n"; });
  ASSERT_EQ(kill(supervisor_of(world, spec), SIGKILL), 0);
  EXPECT_EQ(world.await_end(job).status, RunStatus::kLost);
  ASSERT_TRUE(world.platform.cancel(job));
  const auto living = living_processes(real_file_system());
  for (const Process& process : *living) {
    const auto environment = environment_of(real_file_system(), process);
    if (!environment) continue;
    EXPECT_EQ(std::find(environment->begin(), environment->end(),
                        cat("TRAINMAKE_OUTPUT_DIR=", world.folder.path("cache/runs/run1/output"))),
              environment->end())
        << process.number;
  }
}

TEST_F(LocalContainer, WhatItChangedInItsImageGoesWhenItIsOver) {
  ContainerWorld world;
  const JobSpec first = world.inside(script_spec(1, "echo x > /bin/made")),
                second = world.inside(script_spec(2, "cat /bin/made"));
  world.run(first);
  EXPECT_TRUE(world.folder.has("cache/runs/run1/scratch"));
  ASSERT_TRUE(world.platform.settled({first.run, first.key, ""}, RunStatus::kSucceeded, {}));
  EXPECT_FALSE(world.folder.has("cache/runs/run1/scratch"));
  EXPECT_EQ(world.run(second).status, RunStatus::kFailed);
}

TEST_F(LocalContainer, ACheckpointGoesWithASuccess) {
  ContainerWorld world;
  const JobSpec spec = world.inside(script_spec(1, "echo 7 > /checkpoint/step"));
  world.run(spec);
  ASSERT_TRUE(world.platform.settled({spec.run, spec.key, ""}, RunStatus::kSucceeded, {}));
  EXPECT_EQ(world.folder.read("cache/runs/run1/checkpoint/step"), "7\n");
}

TEST_F(LocalContainer, GpusAreRefusedBeforeAnythingStarts) {
  ContainerWorld world;
  Value one;
  one.data = std::int64_t{1};
  JobSpec spec = world.inside(script_spec(1, "true"));
  spec.resources.fields.push_back({"gpus", one});
  EXPECT_FALSE(world.platform.admits({spec.resources}, Asking::kNobody));
  EXPECT_FALSE(world.platform.submit(spec, {}));
}

TEST_F(LocalContainer, ALayerThatIsGoneIsAReason) {
  ContainerWorld world;
  world.root.layers = {sha256_of("another").hex()};
  const JobStatus status = world.run(world.inside(script_spec(1, "true")));
  EXPECT_EQ(status.status, RunStatus::kFailed);
  EXPECT_NE(status.reason.find("no longer unpacked"), std::string::npos) << status.reason;
}

}  // namespace
}  // namespace trainmake
