// What comes between two steps of a start: another client's start, or its `cancel`. Never two jobs, and never
// one that was cancelled and goes on.
#include "rules/job/platforms/local/start_lock.h"

#include <atomic>
#include <thread>
#include <utility>

#include "engine/base/file_lock.h"
#include "rules/job/platforms/local/prepare.h"
#include "tests/rules/job/local_world.h"
#include "tests/support/forwarding_fs.h"

namespace trainmake {
namespace {

struct Step {
  enum class What : std::uint8_t { kLook, kCreateExclusive } what;
  std::string path;
  friend bool operator==(const Step&, const Step&) = default;
};

// The real file system, which lets others in after a step, the first time.
class LettingIn final : public ForwardingFileSystem {
 public:
  LettingIn(Step step, std::function<void()> others)
      : ForwardingFileSystem(real_file_system()), step_(std::move(step)), others_(std::move(others)) {}

  Result<Stat> look(const std::string& path, Links links) override {
    return after({Step::What::kLook, path}, ForwardingFileSystem::look(path, links));
  }
  Result<bool> create_exclusive(const std::string& path, std::string_view content) override {
    return after({Step::What::kCreateExclusive, path}, ForwardingFileSystem::create_exclusive(path, content));
  }

 private:
  template <typename Answer>
  Answer after(const Step& step, Answer answer) {
    if (step == step_ && others_) std::exchange(others_, nullptr)();
    return answer;
  }

  Step step_;
  std::function<void()> others_;
};

// Another client. It is let do its work until that is done or waits for us.
class Other {
 public:
  explicit Other(LocalWorld& world)
      : host_{real_file_system(), world.processes, world.http, clock_, world.environment},
        platform_(host_, world.workspace, world.blobs) {}

  void does(std::function<bool(LocalPlatform&)> work) {
    thread_ = std::jthread([this, work = std::move(work)] {
      well_ = work(platform_);
      done_ = true;
      clock_.tell();
    });
    clock_.told.wait(false);
  }
  bool is_done() const { return done_; }
  bool ends_well() {
    thread_.join();
    return well_;
  }

 private:
  struct TellingClock final : Clock {
    std::int64_t now_ns() override { return real_clock().now_ns(); }
    std::int64_t steady_ns() override { return real_clock().steady_ns(); }
    bool wait(std::chrono::milliseconds time, std::stop_token stop) override {
      tell();
      return real_clock().wait(time, stop);
    }
    void tell() {
      told = true;
      told.notify_all();
    }
    std::atomic<bool> told = false;
  };

  TellingClock clock_;
  Host host_;
  LocalPlatform platform_;
  bool well_ = false;
  std::atomic<bool> done_ = false;
  std::jthread thread_;
};

class StartLock : public ::testing::Test {
 protected:
  // Says that it started, and then does `rest`.
  JobSpec spec_that(const std::string& rest) {
    return script_spec(1, cat("printf x >> ", world.folder.path("starts"), "; ", rest));
  }
  std::string starts() { return world.folder.has("starts") ? world.folder.read("starts") : ""; }

  // `work` of a client that is interrupted by `others` after `step`.
  template <typename Work>
  auto interrupted(Step step, std::function<void()> others, Work work) {
    LettingIn files(std::move(step), std::move(others));
    Host host{files, world.processes, world.http, real_clock(), world.environment};
    LocalPlatform platform(host, world.workspace, world.blobs);
    return work(platform);
  }
  // One that waits cannot be waited for; one that does not has started the job.
  void let_other_submit(const JobSpec& spec) {
    const std::string before = starts();
    other.does([spec](LocalPlatform& platform) { return platform.submit(spec, {}).has_value(); });
    if (other.is_done()) world.await(job, [&](const JobStatus&) { return starts() != before; });
  }

  LocalWorld world;
  Other other{world};
  RunFolder run = world.platform.folder_of("run1");
  JobHandle job{"run1", "trainmake-run1", ""};
};

TEST_F(StartLock, ARunThatIsBeingCancelledIsNeverSeenLost) {
  JobStatus seen;
  EXPECT_TRUE(interrupted(
      {Step::What::kCreateExclusive, run.started()}, [&] { seen = *world.platform.poll(job); },
      [&](LocalPlatform& platform) { return platform.cancel(job); }));
  EXPECT_EQ(seen.status, RunStatus::kRunning);
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kCancelled);
}

TEST_F(StartLock, ACancelWhileARunIsLaidOutIsNotForgotten) {
  const JobSpec spec = spec_that("exec sleep 60");
  EXPECT_TRUE(interrupted(
      {Step::What::kLook, run.order()},
      [&] { other.does([&](LocalPlatform& platform) { return platform.cancel(job).has_value(); }); },
      [&](LocalPlatform& platform) { return platform.submit(spec, {}); }));
  EXPECT_TRUE(other.ends_well());
  EXPECT_EQ(world.await_end(job).status, RunStatus::kCancelled);
  EXPECT_TRUE(world.platform.submit(spec, {}));
  EXPECT_EQ(world.platform.poll(job)->status, RunStatus::kCancelled);
  EXPECT_LE(starts().size(), 1U);
}

TEST_F(StartLock, OfTwoThatLayARunOutOneStartsIt) {
  const JobSpec spec = spec_that("exec sleep 0.2");
  EXPECT_TRUE(interrupted(
      {Step::What::kLook, run.order()}, [&] { let_other_submit(spec); },
      [&](LocalPlatform& platform) { return platform.submit(spec, {}); }));
  EXPECT_TRUE(other.ends_well());
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  EXPECT_EQ(starts(), "x");
}

TEST_F(StartLock, OfTwoThatFindASettledRunOneDropsIt) {
  const JobSpec spec = spec_that("exec sleep 0.2");
  world.run(spec);
  ASSERT_TRUE(world.platform.settled(job, RunStatus::kFailed, {}));
  EXPECT_TRUE(interrupted(
      {Step::What::kLook, run.settled()}, [&] { let_other_submit(spec); },
      [&](LocalPlatform& platform) { return platform.submit(spec, {}); }));
  EXPECT_TRUE(other.ends_well());
  EXPECT_EQ(world.await_end(job).status, RunStatus::kSucceeded);
  EXPECT_EQ(starts(), "xx");
}

TEST_F(StartLock, WhatTellsOfAStartStaysWhenARunIsLaidOut) {
  for (const std::string& path : {run.started(), run.exit(), run.lock(), path_join(run.code(), "half")})
    ASSERT_TRUE(write_file(real_file_system(), path, "text"));
  ASSERT_TRUE(prepare(
      real_file_system(), world.blobs, spec_that("true"), run,
      {default_contract(), world.folder.path(), world.folder.path("cache/checkpoints/c"), "/usr/bin:/bin"}));
  for (const std::string& path : {run.started(), run.exit(), run.lock()})
    EXPECT_EQ(*read_file(real_file_system(), path), "text") << path;
  EXPECT_FALSE(std::filesystem::exists(path_join(run.code(), "half")));
}

TEST_F(StartLock, OneThatIsLaidOutForLongIsToldToWhoWouldCancelIt) {
  const auto held = try_lock(run.lock(), FileLock::Mode::kExclusive);
  HastyClock hasty;
  Host host{real_file_system(), world.processes, world.http, hasty, world.environment};
  LocalPlatform platform(host, world.workspace, world.blobs);
  const auto cancelled = platform.cancel(job);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().blame, Blame::kBusy);
  const auto submitted = platform.submit(spec_that("true"), {});
  ASSERT_FALSE(submitted);
  EXPECT_EQ(submitted.error().blame, Blame::kRemote) << "it may start yet";
  EXPECT_FALSE(std::filesystem::exists(run.started()));
}

}  // namespace
}  // namespace trainmake
