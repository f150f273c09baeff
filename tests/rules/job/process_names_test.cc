// Which of a job's processes a log and a reason tell of.
#include "rules/job/process_names.h"

#include "rules/job/runs.h"
#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

TEST(ProcessNames, AReasonNamesTheProcessThatItIsOf) {
  EXPECT_EQ(process_named_by(reason_of("worker 1", "exit code 3")), "worker 1");
  EXPECT_EQ(reason_of("", "exit code 3"), "exit code 3");
  for (const char* other : {"exit code 3", "process `7", "timed out: process `1`: x", ""})
    EXPECT_EQ(process_named_by(other), "") << other;
}

TEST(ProcessNames, LinesAreOfAProcessOrOfNone) {
  EXPECT_TRUE(is_of_process(prefix_of("ps 0") + "x"));
  for (const char* other : {"srun: error: x", "[trainmake] 1 failed", "[x]", ""})
    EXPECT_FALSE(is_of_process(other)) << other;
}

std::vector<std::string> last_lines(const std::string& log, const std::string& reason) {
  FakePlatform platform("nowhere");
  Run run;
  run.id = run.key = "1";
  run.reason = reason;
  JobSpec spec;
  spec.run = spec.key = "1";
  spec.command = {value_of(std::string("fail")), value_of(log)};
  EXPECT_TRUE(platform.submit(spec, {}) && platform.poll(JobHandle::of(run)));
  const LastLines last = last_lines_of(platform, run, Redactor({"secret"}));
  return {last.all().begin(), last.all().end()};
}

TEST(ProcessNames, LastLinesAreThoseOfTheOneThatFailedFirst) {
  std::string log = "[0] step 1\nslurmstepd: early\n[1] Traceback: secret\n[1] OutOfMemoryError\n";
  for (int i = 0; i < 3000; ++i) log += "[0] peer gone, NCCL gives up\n";
  log +=
      "srun: error: n2: task 1: Exited with exit code 1\nsrun: Terminating\nsrun: a\nsrun: b\n[trainmake] 1 "
      "failed";
  EXPECT_EQ(last_lines(log, "process `1`: exit code 1"),
            (std::vector<std::string>{"[1] Traceback: ***", "[1] OutOfMemoryError",
                                      "srun: error: n2: task 1: Exited with exit code 1", "srun: Terminating",
                                      "srun: a", "[trainmake] 1 failed"}));
  EXPECT_EQ(last_lines(log, "exit code 1").back(), "[trainmake] 1 failed");
  EXPECT_EQ(last_lines(log, "process `2`: exit code 1").back(), "[trainmake] 1 failed") << "it said nothing";
}

}  // namespace
}  // namespace trainmake
