// What Slurm's answers and what a run left mean for that run.
#include "rules/job/platforms/slurm/slurm_state.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "rules/job/platforms/slurm/slurm_run.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kNow_ns = 2000 * kSecond_ns;

SlurmJob job_in(const std::string& state, const std::string& reason = "None") {
  return {"12", state, "trainmake-a", reason, "trainmake 00ff", 0, 1900, 1990};
}

SlurmTraces handed_over() {
  SlurmTraces traces;
  traces.ticket = SlurmTicket::of("trainmake 00ff");
  traces.number = "12";
  return traces;
}

SlurmTraces started() {
  SlurmTraces traces = handed_over();
  traces.owner = "12";
  traces.started_ns = 1900 * kSecond_ns;
  return traces;
}

SlurmTraces ended(int exit_code, bool asked = false) {
  SlurmTraces traces = started();
  traces.exit = SlurmExit{exit_code, asked, 1900 * kSecond_ns, 1990 * kSecond_ns};
  return traces;
}

TEST(SlurmState, AnExitIsReadAndAnythingElseIsNone) {
  const auto exit = parse_slurm_exit(R"({"exit_code":3,"asked":true,"started_ns":5,"ended_ns":7})");
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->exit_code, 3);
  EXPECT_TRUE(exit->asked);
  EXPECT_EQ(exit->ended_ns, 7);
  for (const char* text : {"", "{", "[]", "{}", R"({"exit_code":"3"})"})
    EXPECT_FALSE(parse_slurm_exit(text)) << text;
}

TEST(SlurmState, OfSeveralProcessesTheOneThatFailedIsNamed) {
  SlurmTraces traces = ended(0);
  traces.exit = parse_slurm_exit(R"({"exit_code":3,"process":"worker 0","asked":false})");
  EXPECT_EQ(end_told_by(traces)->reason, "process `worker 0`: exit code 3");
  EXPECT_EQ(end_told_by(traces)->exit_code, 3);
}

TEST(SlurmState, AnEndSurvivesItsFile) {
  JobStatus status;
  status.status = RunStatus::kFailed;
  status.started_ns = 5;
  status.ended_ns = 7;
  status.exit_code = 3;
  status.reason = "exit code 3";
  const auto read = parse_end(render_end(status));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->status, status.status);
  EXPECT_EQ(read->ended_ns, 7);
  EXPECT_EQ(read->exit_code, 3);
  EXPECT_EQ(read->reason, "exit code 3");
  status.exit_code.reset();
  EXPECT_FALSE(parse_end(render_end(status))->exit_code);
  status.status = RunStatus::kRunning;
  EXPECT_FALSE(parse_end(render_end(status)));
  EXPECT_FALSE(parse_end(""));
}

TEST(SlurmState, AnEndByItselfNeedsNoSlurm) {
  EXPECT_EQ(end_told_by(ended(0))->status, RunStatus::kSucceeded);
  const auto failed = end_told_by(ended(3));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->status, RunStatus::kFailed);
  EXPECT_EQ(failed->reason, "exit code 3");
  EXPECT_EQ(failed->exit_code, 3);
  EXPECT_FALSE(end_told_by(started()));
  EXPECT_FALSE(end_told_by(ended(0, true)));
  EXPECT_FALSE(end_told_by(ended(137)));
}

TEST(SlurmState, ATimeLimitOfTheJobIsTold) {
  SlurmTraces traces = ended(143, true);
  traces.timed_out_s = 90;
  const auto end = end_told_by(traces);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->status, RunStatus::kFailed);
  EXPECT_EQ(end->reason, "timed out after 1 min 30 s");
}

TEST(SlurmState, EachStateIsToldAsWhatItIs) {
  const struct {
    SlurmTraces traces;
    SlurmJob job;
    RunStatus status;
    const char* reason;
  } cases[] = {
      {handed_over(), job_in("PENDING", "Resources"), RunStatus::kQueued, "Resources"},
      {handed_over(), job_in("PENDING"), RunStatus::kQueued, ""},
      {handed_over(), job_in("CONFIGURING"), RunStatus::kQueued, "its nodes are made ready"},
      {started(), job_in("REQUEUE_HOLD", "job requeued in held state"), RunStatus::kQueued,
       "queued again, and held: `scontrol release` lets it go on (job requeued in held state)"},
      {started(), job_in("RUNNING"), RunStatus::kRunning, ""},
      {started(), job_in("COMPLETING"), RunStatus::kRunning, ""},
      {started(), job_in("SUSPENDED"), RunStatus::kRunning, "suspended"},
      {ended(143, true), job_in("COMPLETING"), RunStatus::kRunning, ""},
      {ended(143, true), job_in("CANCELLED"), RunStatus::kCancelled, "cancelled"},
      {handed_over(), job_in("CANCELLED"), RunStatus::kCancelled, "cancelled"},
      {ended(143, true), job_in("TIMEOUT", "TimeLimit"), RunStatus::kFailed,
       "timed out: it reached its time limit in Slurm (TimeLimit)"},
      {started(), job_in("TIMEOUT", "TimeLimit"), RunStatus::kFailed,
       "timed out: it reached its time limit in Slurm (TimeLimit)"},
      {ended(137), job_in("OUT_OF_MEMORY", "OutOfMemory"), RunStatus::kFailed, "out of memory (OutOfMemory)"},
      {handed_over(), job_in("DEADLINE", "DeadLine"), RunStatus::kFailed,
       "it could not have ended before its deadline in Slurm (DeadLine)"},
      {started(), job_in("NODE_FAIL", "NodeDown"), RunStatus::kLost, "a node of it failed (NodeDown)"},
      {handed_over(), job_in("BOOT_FAIL"), RunStatus::kLost, "a node of it did not start"},
      {ended(143, true), job_in("PREEMPTED"), RunStatus::kLost,
       "preempted by a job that matters more, and not queued again"},
      {ended(137), job_in("FAILED", "NonZeroExitCode"), RunStatus::kFailed,
       "killed by signal 9 (out of memory?)"},
      {ended(143, true), job_in("FAILED"), RunStatus::kFailed, "killed by signal 15"},
      {ended(137), job_in("PENDING", "BeginTime"), RunStatus::kFailed, "killed by signal 9 (out of memory?)"},
      {ended(0, true), job_in("COMPLETED"), RunStatus::kSucceeded, ""},
      {handed_over(), job_in("FAILED", "NonZeroExitCode"), RunStatus::kFailed,
       "Slurm says that it failed (NonZeroExitCode); it began nothing: do the nodes see `shared_dir` where "
       "it is "
       "here?"},
      {started(), job_in("BRAND_NEW"), RunStatus::kUnknown, "Slurm says `BRAND_NEW`"},
  };
  for (const auto& test : cases) {
    const JobStatus status = status_of(test.traces, &test.job, kNow_ns);
    EXPECT_EQ(name_of(status.status), name_of(test.status)) << test.job.state;
    EXPECT_EQ(status.reason, test.reason) << test.job.state;
  }
}

TEST(SlurmState, OneThatSlurmStartsAgainIsQueuedAgain) {
  SlurmJob job = job_in("PENDING", "BeginTime");
  job.restarts = 1;
  const JobStatus status = status_of(ended(143, true), &job, kNow_ns);
  EXPECT_EQ(status.status, RunStatus::kQueued);
  EXPECT_EQ(status.reason, "queued again by Slurm: BeginTime");
}

TEST(SlurmState, ALastWordIsWaitedFor) {
  SlurmJob job = job_in("COMPLETED");
  EXPECT_EQ(status_of(started(), &job, 2000 * kSecond_ns).status, RunStatus::kRunning);
  const JobStatus late = status_of(started(), &job, 2051 * kSecond_ns);
  EXPECT_EQ(late.status, RunStatus::kLost);
  job.state = "FAILED";
  EXPECT_EQ(status_of(started(), &job, 2000 * kSecond_ns).status, RunStatus::kRunning);
  EXPECT_EQ(status_of(started(), &job, 2051 * kSecond_ns).status, RunStatus::kFailed);
}

TEST(SlurmState, OfAForgottenJobItsTracesTell) {
  EXPECT_FALSE(status_of(SlurmTraces(), nullptr, kNow_ns).known);
  SlurmTraces ticket_alone = handed_over();
  ticket_alone.number.clear();
  EXPECT_FALSE(status_of(ticket_alone, nullptr, kNow_ns).known);
  EXPECT_EQ(status_of(handed_over(), nullptr, kNow_ns).reason,
            "Slurm no longer knows job 12, which never started");
  EXPECT_EQ(status_of(started(), nullptr, kNow_ns).reason,
            "Slurm no longer knows job 12, which left no word of its end");
  EXPECT_EQ(status_of(started(), nullptr, kNow_ns).status, RunStatus::kLost);
  EXPECT_EQ(status_of(ended(137), nullptr, kNow_ns).reason, "killed by signal 9 (out of memory?)");
  EXPECT_EQ(status_of(ended(143, true), nullptr, kNow_ns).reason,
            "Slurm ended it, and does not know any more why");
  SlurmTraces cancelled = ended(143, true);
  cancelled.cancel_asked = true;
  EXPECT_EQ(status_of(cancelled, nullptr, kNow_ns).status, RunStatus::kCancelled);
}

TEST(SlurmState, TheJobOfARunIsItsOwnerElseTheOneThatMayStart) {
  const auto job_of = [](const SlurmTraces& traces, const std::vector<SlurmJob>& jobs) -> std::string {
    const SlurmJob* job = trainmake::job_of(own_job_of(traces, "trainmake-a"), jobs);
    return job == nullptr ? "none" : job->number;
  };
  SlurmTraces traces = handed_over();
  std::vector<SlurmJob> jobs = {job_in("CANCELLED"), job_in("PENDING"), job_in("RUNNING")};
  jobs[0].number = "10";
  jobs[1].number = "11";
  jobs[2].number = "13";
  jobs[2].comment = "trainmake other";
  EXPECT_EQ(job_of(traces, jobs), "11");
  EXPECT_EQ(job_of(traces, {}), "none");
  traces.owner = kCancelledOwner;
  EXPECT_EQ(job_of(traces, jobs), "11");
  traces.owner = "10";
  EXPECT_EQ(job_of(traces, jobs), "10");
  traces.owner = "9";
  EXPECT_EQ(job_of(traces, jobs), "none");
}

TEST(SlurmState, AnEndIsToldByALinkAsByAFile) {
  const auto exit = parse_slurm_ended("137 true 1700000000000000001 1700000000000000002 worker 0");
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->exit_code, 137);
  EXPECT_TRUE(exit->asked);
  EXPECT_EQ(exit->started_ns, 1700000000000000001);
  EXPECT_EQ(exit->ended_ns, 1700000000000000002);
  EXPECT_EQ(exit->process, "worker 0");
  EXPECT_EQ(parse_slurm_ended("0 false 1 2 ")->process, "");
  for (const char* text : {"", "0", "x false 1 2", "0 false 1"})
    EXPECT_FALSE(parse_slurm_ended(text)) << text;
}

}  // namespace
}  // namespace trainmake
