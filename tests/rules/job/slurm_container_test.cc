// Jobs in containers of their image on the nodes of a Slurm in memory. What all platforms promise is in
// platforms_test.cc.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/job/checkpoint.h"
#include "tests/rules/job/container_world.h"

namespace trainmake {
namespace {

class SlurmContainer : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = ContainerWorld::why_not(); !why.empty()) GTEST_SKIP() << why;
  }

  std::string log_of(const JobSpec& spec, const Secrets& secrets = {}) {
    const JobStatus status = world.run(spec, secrets);
    EXPECT_EQ(status.status, RunStatus::kSucceeded) << status.reason << "\n" << world.log(spec);
    return world.log(spec);
  }

  SlurmContainerWorld world;
};

TEST_F(SlurmContainer, SeesItsDataReadOnlyAndLittleElse) {
  JobSpec spec = world.inside(
      script_spec(1,
                  "cat /data/a.txt /data/deep/down/b.txt /data/model/m.txt; (: > /data/x) 2>/dev/null || "
                  "(: > /data/a.txt) 2>/dev/null || echo read-only; ls / | tr '\\n' ' '"));
  spec.data = {SlurmWorld::tree({world.in_place("a.txt", "A\n"), world.in_place("deep/down/b.txt", "B\n")}),
               SlurmWorld::tree({world.stored("m.txt", "M\n")}, "model")};
  EXPECT_EQ(log_of(spec),
            "A\nB\nM\nread-only\nbin checkpoint code data dev etc home log output proc run sys tmp ");
}

TEST_F(SlurmContainer, ItsEnvironmentIsTheImagesAndWhatSlurmSays) {
  world.root.environment = {{"OF", "image"}, {"PATH", "/nowhere:/bin"}};
  JobSpec spec = world.inside(script_spec(1, "echo $OF $PATH; env | cut -d= -f1 | sort | tr '\\n' ' '"));
  spec.environment = {{"MODE", "fast"}};
  spec.secrets = {"TOKEN"};
  EXPECT_EQ(
      log_of(spec, {{"TOKEN", "open sesame"}}),
      "image /nowhere:/bin\nHOME LANG MODE OF PATH PWD SHLVL SLURM_JOB_ID TOKEN TRAINMAKE_CHECKPOINT_DIR "
      "TRAINMAKE_CODE_DIR TRAINMAKE_DATA_DIR TRAINMAKE_LABEL TRAINMAKE_LOG_DIR TRAINMAKE_OUTPUT_DIR "
      "TRAINMAKE_PARAMS TRAINMAKE_RUN ");
}

TEST_F(SlurmContainer, ASecretThatItPrintsIsNotInItsLog) {
  JobSpec spec = world.inside(script_spec(1, "echo it is $TOKEN; cat /run/secrets/TOKEN; echo"));
  spec.secrets = {"TOKEN"};
  EXPECT_EQ(log_of(spec, {{"TOKEN", "open sesame"}}), "it is ***\n***\n");
}

TEST_F(SlurmContainer, WhatItLeavesIsOursAndWhatItChangesIsGone) {
  const JobSpec spec = world.inside(script_spec(
      1,
      "echo out > $TRAINMAKE_OUTPUT_DIR/o.txt; echo x > /bin/made; echo on > /checkpoint/c; ls /bin/made"));
  EXPECT_EQ(log_of(spec), "/bin/made\n");
  const std::string output = world.run_of(spec).output() + "/o.txt";
  struct stat stat {};
  ASSERT_EQ(::stat(output.c_str(), &stat), 0);
  EXPECT_EQ(stat.st_uid, ::geteuid());
  JobSpec again = world.inside(script_spec(2, "test -e /bin/made || echo clean; cat /checkpoint/c"));
  const std::string left = *world.platform.left({spec.run, spec.key, ""}, {Left::kCheckpoint});
  again.resumed = **keep_checkpoint(real_file_system(), world.blobs, {left}, {});
  EXPECT_EQ(log_of(again), "clean\non\n");
}

TEST_F(SlurmContainer, ATimeoutEndsAllThatRunsInIt) {
  JobSpec spec = world.inside(script_spec(1, "echo up; sleep 314160 & sleep 314160"));
  spec.timeout_s = 1;
  const JobStatus status = world.run(spec);
  EXPECT_EQ(status.status, RunStatus::kFailed);
  EXPECT_EQ(status.reason, "timed out after 1.0 s");
  const auto living = living_processes(real_file_system());
  ASSERT_TRUE(living);
  for (const Process& process : *living) {
    const auto words = read_file(real_file_system(), cat("/proc/", process.number, "/cmdline"));
    EXPECT_TRUE(!words || words->find("314160") == std::string::npos);
  }
}

TEST_F(SlurmContainer, SharesWhatJobsNeedAlike) {
  for (int number = 1; number <= 3; ++number) log_of(world.inside(script_spec(number, "true")));
  const auto layers = real_file_system().list(world.platform.traits.layers);
  EXPECT_EQ(std::count_if(layers->begin(), layers->end(),
                          [](const FolderEntry& entry) { return entry.kind == FileKind::kFolder; }),
            1);
  EXPECT_EQ(real_file_system().list(world.folder.path("shared/programs"))->size(), 1U);
}

TEST_F(SlurmContainer, AProgramThatTheImageLacksIsTold) {
  JobSpec spec = world.inside(spec_named(1));
  spec.command = {text_value("python3")};
  EXPECT_EQ(world.run(spec).reason, "exit code 127");
  EXPECT_NE(world.log(spec).find("The image has no program `python3`"), std::string::npos);
}

TEST_F(SlurmContainer, WithoutGpusOfTheNodeThatIsTold) {
  JobSpec spec = world.inside(script_spec(1, "true"));
  Value gpus;
  gpus.data = std::int64_t{1};
  spec.resources.fields.push_back({"gpus", gpus});
  EXPECT_EQ(world.run(spec).reason, "exit code 127");
  EXPECT_NE(world.log(spec).find("Slurm names no gpus of this node to the job"), std::string::npos)
      << world.log(spec);
}

TEST_F(SlurmContainer, IsAnotherContractThanAProcess) {
  EXPECT_EQ(world.platform.traits.contract.version, contract_in_container(default_contract(), false).version);
  EXPECT_NE(world.platform.traits.contract.version, SlurmWorld().platform.traits.contract.version);
}

}  // namespace
}  // namespace trainmake
