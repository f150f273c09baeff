#include "rules/data/pulse.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>

#include "rules/data/lease.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kWhole{kLastArrival_s * 1000};

struct PulseTest : testing::Test {
  MemFileSystem files;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment;
  Host host{files, processes, http, clock, environment};
  Ledger ledger{files, "/cache", "place"};

  PulseTest() {
    files.put("/proc/sys/kernel/random/boot_id", "this\n");
    clock.advance(seconds(100));
    clock.endless = kPulse;
    EXPECT_TRUE(ledger.begin("us"));
  }
  milliseconds left() {
    Ledger other(files, "/cache", "place");
    EXPECT_TRUE(other.load());
    return left_of_last_arrivals(host, other);
  }
};

// It may have been stopped for that long before it was killed.
TEST_F(PulseTest, OfWhoWasKilledItIsCountedFromWhenThatIsFound) {
  const auto pulse = Pulse::begin(host, ledger).value();
  EXPECT_EQ(left(), kWhole);
  clock.advance(seconds(60));
  EXPECT_EQ(left(), kWhole);
  Ledger next(files, "/cache", "place");
  ASSERT_TRUE(next.load());
  ASSERT_TRUE(note_its_end(host, next));
  clock.advance(seconds(4));
  EXPECT_EQ(left(), kWhole - seconds(4));
  ASSERT_TRUE(note_its_end(host, next));
  EXPECT_EQ(left(), kWhole - seconds(4)) << "once";
  clock.advance(seconds(6));
  EXPECT_EQ(left(), milliseconds(0));
}

TEST_F(PulseTest, OfWhoWasHeardOfLongAgoNothingIsOnItsWay) {
  const auto pulse = Pulse::begin(host, ledger).value();
  clock.advance(seconds(600));
  EXPECT_EQ(left(), milliseconds(0));
}

TEST_F(PulseTest, WhoEndsSaysSo) {
  auto pulse = Pulse::begin(host, ledger).value();
  clock.advance(seconds(60));  // of one request
  pulse.reset();
  EXPECT_EQ(left(), kWhole);
  clock.advance(seconds(10));
  EXPECT_EQ(left(), milliseconds(0));
}

TEST_F(PulseTest, ItIsToldAgainAndAgain) {
  clock.endless = milliseconds(-1);
  const std::int64_t begun_ns = clock.steady_ns();
  const auto pulse = Pulse::begin(host, ledger).value();
  const auto late = std::chrono::steady_clock::now() + seconds(20);
  const auto since = [&] { return std::chrono::nanoseconds(ledger.last_beat()->steady_ns - begun_ns); };
  while (since() < 3 * kPulse && std::chrono::steady_clock::now() < late) std::this_thread::yield();
  EXPECT_GE(since(), 3 * kPulse);
}

TEST_F(PulseTest, OfAnotherBootOrWithoutATimeAllIsWaitedFor) {
  EXPECT_EQ(left(), kWhole) << "no time";
  clock.advance(seconds(60));
  Pulse::begin(host, ledger).value().reset();
  files.put("/proc/sys/kernel/random/boot_id", "next\n");
  clock.advance(seconds(60));
  EXPECT_EQ(left(), kWhole);
  files.put("/proc/sys/kernel/random/boot_id", "this\n");
  EXPECT_EQ(left(), milliseconds(0));
  clock.advance(seconds(-90));
  EXPECT_EQ(left(), kWhole) << "a time to come";
}

TEST_F(PulseTest, WhatWasWaitedForIsOver) {
  ledger.is_over();
  EXPECT_EQ(left_of_last_arrivals(host, ledger), milliseconds(0));
}

TEST_F(PulseTest, WhoCannotNoteItIsTold) {
  clock.endless = milliseconds(-1);
  files.fail_nth("write", 2, ENOSPC);
  const auto pulse = Pulse::begin(host, ledger).value();
  const auto late = std::chrono::steady_clock::now() + seconds(20);
  while (!pulse->lost().stop_requested() && std::chrono::steady_clock::now() < late)
    std::this_thread::yield();
  EXPECT_TRUE(pulse->lost().stop_requested());
}

}  // namespace
}  // namespace trainmake
