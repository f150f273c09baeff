// What rules/job/platform.h promises, as tests that every platform and the fake one pass:
//   INSTANTIATE_TEST_SUITE_P(Local, PlatformConformance, ::testing::Values(&make_local_harness));
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "engine/base/file_system.h"
#include "engine/base/host.h"
#include "rules/job/platform.h"

namespace trainmake {

// Each prints `hello` first. kSucceed writes `result` to the output `o.txt`; kFail leaves with 3; kWait goes
// on as kSucceed once it is released.
enum class Act { kSucceed, kFail, kWait };

class PlatformHarness {
 public:
  virtual ~PlatformHarness() = default;
  virtual Platform& platform() = 0;
  virtual JobSpec spec(Act act) = 0;  // with a run and key of its own
  virtual void release() = 0;
  virtual int starts(const JobSpec& spec) = 0;  // how often its command was started
  virtual bool tells_exit_codes() { return true; }
};

using MakeHarness = std::unique_ptr<PlatformHarness> (*)();

class PlatformConformance : public ::testing::TestWithParam<MakeHarness> {
 protected:
  static JobHandle handle_of(const JobSpec& spec, std::string job = "") {
    return {spec.run, spec.key, std::move(job)};
  }

  JobHandle submit(const JobSpec& spec) {
    auto job = platform.submit(spec, {});
    EXPECT_TRUE(job) << (job ? "" : job.error().message);
    return handle_of(spec, job.value_or(""));
  }

  template <typename Until>
  JobStatus await(const JobHandle& job, Until until) {
    const std::int64_t began = real_clock().steady_ns();
    JobStatus status;
    do {
      auto polled = platform.poll(job);
      EXPECT_TRUE(polled) << (polled ? "" : polled.error().message);
      if (polled) status = *polled;
      if (until(status)) return status;
    } while (!real_clock().wait(std::chrono::milliseconds(2), {}) &&
             real_clock().steady_ns() - began < 30'000'000'000);
    ADD_FAILURE() << "never came; last " << name_of(status.status) << " " << status.reason;
    return status;
  }
  JobStatus await_end(const JobHandle& job) {
    return await(job, [](const JobStatus& status) { return is_over(status.status); });
  }
  JobStatus await_running(const JobHandle& job) {
    return await(job, [](const JobStatus& status) { return status.status == RunStatus::kRunning; });
  }

  std::unique_ptr<PlatformHarness> harness = GetParam()();
  Platform& platform = harness->platform();
};

TEST_P(PlatformConformance, KnowsNothingOfAJobThatWasNotSubmitted) {
  const auto status = platform.poll(handle_of(harness->spec(Act::kSucceed)));
  ASSERT_TRUE(status);
  EXPECT_FALSE(status->known);
}

TEST_P(PlatformConformance, ASuccessLeavesItsOutputAndLog) {
  const JobHandle job = submit(harness->spec(Act::kSucceed));
  EXPECT_NE(job.job, "");
  const JobStatus status = await_end(job);
  EXPECT_EQ(status.status, RunStatus::kSucceeded) << status.reason;
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_GT(status.started_ns, 0);
  EXPECT_GE(status.ended_ns, status.started_ns);
  EXPECT_EQ(*platform.read_log(job, {0, 1000}), "hello\n");
  EXPECT_EQ(*read_file(real_file_system(), path_join(*platform.left(job, {Left::kOutput}), "o.txt")),
            "result");
}

TEST_P(PlatformConformance, AFailureHasACodeAndAReason) {
  const JobHandle job = submit(harness->spec(Act::kFail));
  const JobStatus status = await_end(job);
  EXPECT_EQ(status.status, RunStatus::kFailed);
  EXPECT_NE(status.reason, "");
  if (!harness->tells_exit_codes()) return;
  EXPECT_EQ(status.exit_code, 3);
  EXPECT_EQ(status.reason, "exit code 3");
}

TEST_P(PlatformConformance, SubmittingAgainStartsNothingTwice) {
  const JobSpec spec = harness->spec(Act::kWait);
  const JobHandle job = submit(spec);
  EXPECT_EQ(submit(spec).job, job.job);
  await_running(job);
  EXPECT_EQ(submit(spec).job, job.job);
  harness->release();
  EXPECT_EQ(await_end(job).status, RunStatus::kSucceeded);
  EXPECT_EQ(submit(spec).job, job.job);
  EXPECT_EQ(await_end(job).status, RunStatus::kSucceeded);
  EXPECT_EQ(harness->starts(spec), 1);
}

TEST_P(PlatformConformance, AJobIsFoundByItsKeyAlone) {
  const JobSpec spec = harness->spec(Act::kSucceed);
  submit(spec);
  EXPECT_EQ(await_end(handle_of(spec)).status, RunStatus::kSucceeded);
}

TEST_P(PlatformConformance, ALogIsReadFromAnyOffset) {
  const JobHandle job = submit(harness->spec(Act::kSucceed));
  await_end(job);
  EXPECT_EQ(*platform.read_log(job, {2, 3}), "llo");
  EXPECT_EQ(*platform.read_log(job, {6, 10}), "");
  EXPECT_EQ(*platform.read_log(job, {99, 10}), "");
  EXPECT_EQ(*platform.read_log(job, {-3, 10}), "lo\n");
  EXPECT_EQ(*platform.read_log(job, {-99, 10}), "hello\n");
}

TEST_P(PlatformConformance, ACancelledJobEnds) {
  const JobHandle job = submit(harness->spec(Act::kWait));
  await_running(job);
  ASSERT_TRUE(platform.cancel(job));
  EXPECT_EQ(await_end(job).status, RunStatus::kCancelled);
  EXPECT_TRUE(platform.cancel(job));
  EXPECT_EQ(await_end(job).status, RunStatus::kCancelled);
}

TEST_P(PlatformConformance, CancelAfterTheEndChangesNothing) {
  const JobHandle job = submit(harness->spec(Act::kSucceed));
  await_end(job);
  EXPECT_TRUE(platform.cancel(job));
  EXPECT_EQ(await_end(job).status, RunStatus::kSucceeded);
}

TEST_P(PlatformConformance, AJobCancelledBeforeItWasSubmittedNeverStarts) {
  const JobSpec spec = harness->spec(Act::kSucceed);
  ASSERT_TRUE(platform.cancel(handle_of(spec)));
  const JobHandle job = submit(spec);
  EXPECT_EQ(await_end(job).status, RunStatus::kCancelled);
  EXPECT_EQ(harness->starts(spec), 0);
}

TEST_P(PlatformConformance, TheEndIsStillToldWhenItIsSettled) {
  const JobHandle job = submit(harness->spec(Act::kSucceed));
  await_end(job);
  ASSERT_TRUE(platform.settled(job, RunStatus::kSucceeded, {"o.txt"}));
  EXPECT_EQ(await_end(job).status, RunStatus::kSucceeded);
  EXPECT_EQ(*platform.read_log(job, {0, 1000}), "hello\n");
}

}  // namespace trainmake
