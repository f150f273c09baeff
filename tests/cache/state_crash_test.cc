// kill -9 while records are written: what was acknowledged is there, the rest is there whole or not at all.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "cache/state.h"
#include "tests/cache/some_records.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

constexpr int kRounds = 25;
constexpr int kLines = 2000;  // so that a transaction is many writes

// Says a byte after each record that has been remembered; never returns.
[[noreturn]] void write_records(const std::string& cache, std::uint64_t next, int say) {
  const Result<std::unique_ptr<State>> state = State::open(cache, State::Access::kWrite);
  if (!state) _exit(1);
  for (;; ++next) {
    if (!(*state)->remember(some_record("mnist", next, kLines)) || ::write(say, "x", 1) != 1) _exit(2);
  }
}

// Kills it after `acknowledged` records and a moment; returns how many it had said in all.
std::uint64_t write_and_kill(const std::string& cache, std::uint64_t next, int acknowledged, int moment_us) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) write_records(cache, next, ends[1]);
  ::close(ends[1]);
  std::uint64_t said = 0;
  char byte = 0;
  for (int i = 0; i < acknowledged && ::read(ends[0], &byte, 1) == 1; ++i) ++said;
  ::usleep(static_cast<useconds_t>(moment_us));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << status;
  while (::read(ends[0], &byte, 1) == 1) ++said;
  ::close(ends[0]);
  return said;
}

TEST(StateCrash, ARecordIsWhollyThereOrNotAtAll) {
  const ScratchFolder folder;
  const std::string cache = folder.path("cache");
  std::mt19937 random(7);
  std::uint64_t next = 0;
  for (int round = 0; round < kRounds; ++round) {
    next += write_and_kill(cache, next, static_cast<int>(random() % 4), static_cast<int>(random() % 8000));
    const Result<std::unique_ptr<State>> state = State::open(cache, State::Access::kWrite);
    ASSERT_TRUE(state) << state.error().message;
    const Result<std::optional<Record>> last = (*state)->last(some_label());
    ASSERT_TRUE(last) << last.error().message;
    // The one after the last that was said may have been committed, but not said.
    if (next > 0 || *last) {
      ASSERT_TRUE(*last);
      const Record said = some_record("mnist", next - 1, kLines), unsaid = some_record("mnist", next, kLines);
      ASSERT_TRUE((next > 0 && same(**last, said)) || same(**last, unsaid)) << "round " << round;
      if (same(**last, unsaid)) ++next;
    }
    for (std::uint64_t i = 0; i < next; ++i) {
      const Record expected = some_record("mnist", i, kLines);
      ASSERT_TRUE(*(*state)->find(expected.label, expected.fingerprint))
          << "round " << round << ", record " << i;
      if (next - i > 5 && i % 7 != 0) ++i;  // the recent ones all, of the others some
    }
  }
  EXPECT_EQ(*State::repair(cache), "") << "it was not sound";
}

}  // namespace
}  // namespace trainmake
