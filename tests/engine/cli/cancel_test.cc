// `cancel` beside another trainmake that holds the job's step.
#include <gtest/gtest.h>

#include "engine/cli/commands.h"
#include "engine/cli/hold.h"
#include "tests/engine/cli/looking_back.h"

namespace trainmake {
namespace {

constexpr const char* kRun = "0123456789ab";

// A project with one run in flight, that no platform has started.
struct InFlight {
  ScratchFolder folder;
  Environment environment = Environment::of_process();
  std::unique_ptr<Session> session;

  InFlight() {
    folder.write("TRAINFILE.lua", "");
    folder.write(cat("cache/runs/", kRun, "/order"), "");
    auto line = parse_command_line(
        {"cancel", kRun, "--directory", folder.path(), "--cache-dir", folder.path("cache")});
    EXPECT_TRUE(line);
    auto opened = Session::open(*line, environment);
    EXPECT_TRUE(opened);
    session = *std::move(opened);
    EXPECT_TRUE(session->open_state(State::Access::kWrite));
    EXPECT_TRUE(session->state().put(run_of({kRun, job("j"), RunStatus::kQueued})));
  }
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

TEST(Cancel, LeavesTheEndToTheOneWhoWatches) {
  InFlight world;
  const auto step = try_hold_step(*world.session, job("j"));
  ASSERT_TRUE(step && *step);
  EXPECT_EQ(world.cancelled(), RunStatus::kQueued);
  EXPECT_TRUE(world.folder.has(cat("cache/runs/", kRun, "/exit.json")));
  EXPECT_FALSE(world.folder.has(cat("cache/runs/", kRun, "/settled")));
}

}  // namespace
}  // namespace trainmake
