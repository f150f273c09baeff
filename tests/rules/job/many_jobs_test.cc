// Jobs on a platform that takes many: handed over together, watched together, without a worker each.
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <set>

#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

// Writes down what came together.
class ManyPlatform final : public Platform {
 public:
  explicit ManyPlatform(const std::string& folder)
      : Platform({.contract = default_contract(), .takes_many = true}), inner_(folder) {}

  std::vector<Result<std::string>> submit_all(const std::vector<Submission>& jobs) override {
    const std::lock_guard lock(mutex_);
    calls.push_back(jobs.size());
    return inner_.submit_all(jobs);
  }
  Result<JobStatus> look_at(const JobHandle& job, const Patience& patience) override {
    return inner_.look_at(job, patience);
  }
  Result<std::string> read_log(const JobHandle& job, const LogPiece& piece) override {
    return inner_.read_log(job, piece);
  }
  std::vector<Result<void>> cancel_all(const std::vector<JobHandle>& jobs,
                                       const Patience& patience) override {
    return inner_.cancel_all(jobs, patience);
  }
  Result<std::string> left(const JobHandle& job, const LeftRequest& wanted) override {
    return inner_.left(job, wanted);
  }
  Result<void> settled(const JobHandle& job, RunStatus end, const std::vector<std::string>& stored) override {
    return inner_.settled(job, end, stored);
  }
  Result<void> admits(const Outlook& job, Asking asking) override { return inner_.admits(job, asking); }

  std::vector<std::size_t> calls;

 private:
  std::mutex mutex_;
  FakePlatform inner_;
};

JobSpec spec_of(int number, const std::string& image = "i") {
  JobSpec spec;
  spec.run = cat("run", number);
  spec.key = cat("key", number);
  spec.image = image;
  return spec;
}

TEST(Submissions, ThoseThatComeInQuickSuccessionGoTogether) {
  const ScratchFolder folder;
  ManyPlatform platform(folder.path());
  std::mutex mutex;
  std::set<std::string> answers;
  {
    Submissions submissions(platform, real_clock());
    const Submissions::Coming coming(submissions);
    for (int i = 0; i < 50; ++i) {
      submissions.add({spec_of(i), {}}, [&](const Result<std::string>& job) {
        const std::lock_guard lock(mutex);
        answers.insert(*job);
      });
    }
  }
  EXPECT_EQ(platform.calls, std::vector<std::size_t>{50});
  EXPECT_EQ(answers.size(), 50U);
}

TEST(Submissions, ThoseOfAnotherImageGoByThemselves) {
  const ScratchFolder folder;
  ManyPlatform platform(folder.path());
  {
    Submissions submissions(platform, real_clock());
    for (int i = 0; i < 4; ++i)
      submissions.add({spec_of(i, i < 3 ? "i" : "other"), {}}, [](const Result<std::string>&) {});
  }
  EXPECT_EQ(std::multiset<std::size_t>(platform.calls.begin(), platform.calls.end()),
            (std::multiset<std::size_t>{1, 3}));
}

// A step as the engine does it, without an engine: pauses are waited for.
struct ManyWorld : JobWorld {
  ManyPlatform many{folder.path("many")};

  Result<Done> run() {
    JobRule the_rule({host, workspace, space, platform_name, blobs, digests, runs, many, "1"});
    auto description = the_rule.describe(subject());
    if (!description) return fail(description.error());
    const Subject the_subject = subject();
    std::mutex mutex;
    const Doing doing{description->manifest.fingerprint(),
                      stop.get_token(),
                      [&](const Event& event) {
                        const std::lock_guard lock(mutex);
                        events.push_back(event);
                      },
                      tally,
                      [](const std::function<void()>& work) { work(); },
                      retry,
                      wait};
    Result<Done> done = the_rule.execute(the_subject, *description, doing);
    while (done && done->pause) {
      const std::shared_ptr<Pause> pause = done->pause;
      std::promise<void> woken;
      pause->begin([&] { woken.set_value(); });
      woken.get_future().wait();
      done = pause->go_on();
    }
    return done;
  }
};

TEST(ManyJobs, OneIsHandedOverWatchedAndItsResultKept) {
  ManyWorld world;
  const auto done = world.run();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->artifacts.size(), 1U);
  EXPECT_EQ(world.many.calls, std::vector<std::size_t>{1});
  EXPECT_EQ(world.tally.submitted, 1U);
  EXPECT_EQ(world.runs.runs.front().status, RunStatus::kSucceeded);
}

TEST(ManyJobs, OneThatFailsIsTriedAgainAsOftenAsItSays) {
  ManyWorld world;
  world.set("retries", value_of(std::int64_t{2}));
  world.set("command", list_of({"fail"}));
  const auto done = world.run();
  ASSERT_FALSE(done);
  EXPECT_EQ(world.many.calls.size(), 3U);
}

TEST(ManyJobs, OneIsLeftRunningWhenNobodyWaits) {
  ManyWorld world;
  world.wait = false;
  world.set("command", list_of({"wait"}));
  const auto done = world.run();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(done->detached);
}

TEST(ManyJobs, AStopLeavesItRunning) {
  ManyWorld world;
  world.set("command", list_of({"wait"}));
  std::atomic<int> waits = 0;
  world.clock.on_wait = [&] {
    if (++waits == 100) world.stop.request_stop();
  };
  const auto done = world.run();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(done->detached);
}

}  // namespace
}  // namespace trainmake
