// When a job that squeue does not tell of is gone, at which cost.
#include <gtest/gtest.h>

#include "rules/job/platforms/slurm/slurm_queue.h"
#include "tests/rules/job/fake_slurm.h"
#include "tests/rules/job/local_world.h"
#include "tests/support/fake_clock.h"

namespace trainmake {
namespace {

struct QueueWorld {
  QueueWorld() { clock.longest = std::chrono::seconds(1); }
  FakeSlurm slurm;
  FakeClock clock;
  NoHttp http;
  Environment environment;
  Host host{real_file_system(), slurm, http, clock, environment};
  SlurmCommands commands{host};
  SlurmQueue queue{commands, clock};

  void scontrol_fails() {
    slurm.failing.emplace("scontrol", ProcessResult{1, "", "scontrol: error: who knows\n"});
  }
  static OwnJob job(int number) {
    return {cat("trainmake-", number), cat("trainmake ", number), "", cat(number)};
  }
};

TEST(SlurmQueue, OneThatScontrolDoesNotKnowEitherIsGone) {
  QueueWorld world;
  EXPECT_TRUE(world.queue.is_gone(QueueWorld::job(1)).value_or(false));
  EXPECT_TRUE(world.queue.is_known_over(QueueWorld::job(1)));
  EXPECT_FALSE(world.queue.is_known_over(QueueWorld::job(2)));
}

TEST(SlurmQueue, WhereScontrolSaysNothingASecondAnswerOfSqueueIsWaitedFor) {
  QueueWorld world;
  world.scontrol_fails();
  const OwnJob job = QueueWorld::job(1);
  EXPECT_FALSE(world.queue.is_gone(job).value_or(true));
  world.clock.advance(std::chrono::seconds(6));
  EXPECT_FALSE(world.queue.is_gone(job).value_or(true)) << "nobody asked squeue again";
  ASSERT_TRUE(world.queue.of({job.name, ""}, SlurmQueue::Haste::kNone));
  EXPECT_TRUE(world.queue.is_gone(job).value_or(false));
}

TEST(SlurmQueue, AThousandThatAreLostAtOnceAreNotAThousandCalls) {
  QueueWorld world;
  for (int number = 1; number <= 1000; ++number) EXPECT_TRUE(world.queue.is_gone(QueueWorld::job(number)));
  EXPECT_LE(world.slurm.calls["scontrol"], 10);
  world.clock.advance(std::chrono::seconds(6));
  ASSERT_TRUE(world.queue.of({"trainmake-1", ""}, SlurmQueue::Haste::kNone));
  for (int number = 1; number <= 1000; ++number)
    EXPECT_TRUE(world.queue.is_gone(QueueWorld::job(number)).value_or(false)) << number;
  EXPECT_LE(world.slurm.calls["scontrol"], 20);
}

}  // namespace
}  // namespace trainmake
