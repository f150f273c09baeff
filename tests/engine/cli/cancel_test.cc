// `cancel` beside another trainmake that holds the job's step.
#include <gtest/gtest.h>

#include "engine/cli/commands.h"
#include "engine/cli/hold.h"
#include "tests/engine/cli/looking_back.h"

namespace trainmake {
namespace {

constexpr const char* kRun = "0123456789ab";
constexpr const char* kSecond = "1123456789ab";
constexpr const char* kOther = "2123456789ab";

// A project with runs in flight, that no platform has started: kRun of job:j, and two more.
struct InFlight {
  ScratchFolder folder;
  Environment environment = Environment::of_process();
  std::unique_ptr<Session> session;

  explicit InFlight(const std::string& word = kRun) {
    folder.write("TRAINFILE.lua", "");
    for (const char* run : {kRun, kSecond, kOther}) folder.write(cat("cache/runs/", run, "/order"), "");
    auto line = parse_command_line(
        {"cancel", word, kRun, "--directory", folder.path(), "--cache-dir", folder.path("cache")});
    EXPECT_TRUE(line);
    auto opened = Session::open(*line, environment);
    EXPECT_TRUE(opened);
    session = *std::move(opened);
    EXPECT_TRUE(session->open_state(State::Access::kWrite));
    for (const auto& [run, name] :
         {std::pair(kRun, "j"), std::pair(kSecond, "j-2"), std::pair(kOther, "other")})
      EXPECT_TRUE(session->state().put(run_of({run, job(name), RunStatus::kQueued})));
  }
  RunStatus status(const char* run) { return (*session->state().get(run))->status; }
  RunStatus cancelled() {
    const auto code = cancel_command({*session, {}});
    EXPECT_TRUE(code) << code.error().message;
    return (*session->state().get(kRun))->status;
  }
};

TEST(Cancel, RemembersTheEndOfWhatNobodyWatches) {
  InFlight world;
  EXPECT_EQ(world.cancelled(), RunStatus::kCancelled);
}

TEST(Cancel, EndsAllInFlightThatAPatternMatches) {
  InFlight world("job:j*");
  EXPECT_EQ(world.cancelled(), RunStatus::kCancelled);
  EXPECT_EQ(world.status(kSecond), RunStatus::kCancelled);
  EXPECT_EQ(world.status(kOther), RunStatus::kQueued);
}

TEST(Cancel, APatternThatMatchesNothingInFlightIsAnErrorBeforeAnythingEnds) {
  InFlight world("job:nope-*");
  const auto code = cancel_command({*world.session, {}});
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().message, "No job in flight matches `job:nope-*`");
  EXPECT_EQ(world.status(kRun), RunStatus::kQueued);
}

TEST(Cancel, ForgetsWhatNoPlatformWasHanded) {
  InFlight world;
  std::filesystem::remove_all(world.folder.path(cat("cache/runs/", kRun)));
  EXPECT_EQ(world.cancelled(), RunStatus::kLost) << "the next run of the same is no other try";
  EXPECT_TRUE(world.folder.has(cat("cache/runs/", kRun, "/exit.json"))) << "it may not start afterwards";
}

TEST(Cancel, WhatAnotherIsAboutToHandOverIsCancelled) {
  InFlight world;
  std::filesystem::remove_all(world.folder.path(cat("cache/runs/", kRun)));
  const auto step = try_hold_run(*world.session, run_of({kRun, job("j"), RunStatus::kQueued}));
  ASSERT_TRUE(step && *step);
  EXPECT_EQ(world.cancelled(), RunStatus::kQueued) << "its end is the other one's to remember";
  EXPECT_TRUE(world.folder.has(cat("cache/runs/", kRun, "/exit.json")));
}

TEST(Cancel, LeavesTheEndToTheOneWhoWatches) {
  InFlight world;
  const auto step = try_hold_run(*world.session, run_of({kRun, job("j"), RunStatus::kQueued}));
  ASSERT_TRUE(step && *step);
  EXPECT_EQ(world.cancelled(), RunStatus::kQueued);
  EXPECT_TRUE(world.folder.has(cat("cache/runs/", kRun, "/exit.json")));
  EXPECT_FALSE(world.folder.has(cat("cache/runs/", kRun, "/settled")));
}

}  // namespace
}  // namespace trainmake
