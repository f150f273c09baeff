#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "engine/base/hash.h"
#include "engine/base/host.h"
#include "engine/base/text.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

Command shell(std::string script) {
  return {{"sh", "-c", std::move(script)}, {{"PATH", "/usr/bin:/bin"}}, ""};
}

ProcessResult run(const Command& command) { return real_processes().run(command, {}).value(); }

TEST(Process, GivesBothStreamsAndTheExitCode) {
  const ProcessResult result = run(shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(result.exit_code, 3);
}

TEST(Process, ASignalIsAnExitCodeAbove128) {
  EXPECT_EQ(run(shell("kill -TERM $$")).exit_code, 128 + SIGTERM);
}

TEST(Process, MuchOnBothStreamsDoesNotBlock) {
  const ProcessResult result = run(shell("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; echo end"));
  EXPECT_EQ(result.output.size(), 300'004U);
  EXPECT_EQ(result.errors.size(), 300'000U);
}

TEST(Process, HasTheEnvironmentItIsGivenAndNoOther) {
  Command command = shell("env");
  command.environment["WORD"] = "a b";
  const std::string output = run(command).output;
  EXPECT_NE(output.find("WORD=a b\n"), std::string::npos);
  EXPECT_EQ(output.find("HOME="), std::string::npos);
}

TEST(Process, RunsInItsFolder) {
  const ScratchFolder scratch;
  Command command = shell("pwd -P");
  command.folder = scratch.path();
  EXPECT_EQ(run(command).output, scratch.path() + "\n");
}

TEST(Process, ReadsNothingFromOurInput) { EXPECT_EQ(run(shell("cat; echo $?")).output, "0\n"); }

TEST(Process, ReadsWhatItIsGiven) {
  Command command = shell("sha256sum; cat >&2");
  const std::string piece(100'000, 'x');
  std::string all;
  command.input = [&](const auto& sink) -> Result<void> {
    for (int i = 0; i < 50; ++i, all += piece) TRY(sink(piece));
    return {};
  };
  const std::string output = run(command).output;
  EXPECT_EQ(output, cat(sha256_of(all).hex(), "  -\n"));
}

TEST(Process, WhatItWritesMeanwhileDoesNotBlock) {
  Command command = shell("cat");
  command.input = [](const auto& sink) { return sink(std::string(3'000'000, 'x')); };
  EXPECT_EQ(run(command).output.size(), 3'000'000U);
}

TEST(Process, NeedNotReadToTheEnd) {
  Command command = shell("exec <&-; echo fine; exit 3");
  bool went_on = false;
  command.input = [&](const auto& sink) -> Result<void> {
    TRY(sink(std::string(3'000'000, 'x')));
    went_on = true;
    return {};
  };
  EXPECT_EQ(run(command).exit_code, 3);
  EXPECT_FALSE(went_on);
}

TEST(Process, AnErrorOfItsInputEndsIt) {
  Command command = shell("cat; sleep 1000");
  command.input = [](const auto& sink) -> Result<void> {
    TRY(sink("some"));
    return fail(step_error("Damaged"));
  };
  const Result<ProcessResult> result = real_processes().run(command, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "Damaged");
}

TEST(Process, AStopEndsOneThatDoesNotReadItsInput) {
  Command command = shell("exec sleep 1000");
  std::stop_source stop;
  command.input = [&](const auto& sink) {
    stop.request_stop();
    return sink(std::string(3'000'000, 'x'));
  };
  const Result<ProcessResult> result = real_processes().run(command, stop.get_token());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().blame, Blame::kInterrupted);
}

TEST(Process, StartsWithDefaultSignals) {
  const auto old = ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(run(shell("kill -PIPE $$; echo still here")).exit_code, 128 + SIGPIPE);
  ::signal(SIGPIPE, old);
}

TEST(Process, AnUnknownProgramIsAnError) {
  const auto result = real_processes().run({{"no-such-program"}, {{"PATH", "/usr/bin"}}, ""}, {});
  EXPECT_EQ(result.error().message, "Cannot run `no-such-program`: it is not in PATH");
}

TEST(Process, AMissingFolderIsAnError) {
  Command command = shell("true");
  command.folder = "/no/such/folder";
  EXPECT_EQ(real_processes().run(command, {}).error().message,
            "Cannot run `sh` in `/no/such/folder`: No such file or directory");
}

TEST(Process, WhatItLeavesRunningIsNotWaitedFor) {
  const ProcessResult result = run(shell("sleep 1000 & echo $!"));
  const int left = std::stoi(result.output);
  EXPECT_EQ(::kill(left, SIGKILL), 0);
}

TEST(Process, AStopEndsItAndWhatItStarted) {
  const ScratchFolder scratch;
  std::stop_source source;
  Command command = shell("mkfifo fifo; echo x > started; read line < fifo");
  command.folder = scratch.path();
  std::jthread stopper([&] {
    while (!scratch.has("started")) std::this_thread::yield();
    source.request_stop();
  });
  EXPECT_EQ(real_processes().run(command, source.get_token()).error().blame, Blame::kInterrupted);
}

TEST(Process, OneThatCannotBeKilledIsLeft) {
  const ScratchFolder scratch;
  std::stop_source source;
  // Signals to its group do not reach it.
  Command command{{"python3", "-c",
                   "import os, time\nos.setpgid(0, os.getpgid(os.getppid()))\nopen('started', 'w').write(str("
                   "os.getpid()))\ntime.sleep(60)"},
                  {{"PATH", "/usr/local/bin:/usr/bin:/bin"}},
                  scratch.path()};
  std::jthread stopper([&] {
    while (!scratch.has("started")) std::this_thread::yield();
    source.request_stop();
  });
  EXPECT_EQ(real_processes().run(command, source.get_token()).error().blame, Blame::kInterrupted);
  const int left = std::stoi(*read_file(real_file_system(), scratch.path("started")));
  EXPECT_EQ(::kill(left, SIGKILL), 0) << "it goes on";
  EXPECT_EQ(::waitpid(left, nullptr, 0), left);
}

TEST(Process, ADetachedOneHasItsOwnSessionAndNothingOpen) {
  const ScratchFolder scratch;
  ASSERT_EQ(::mkfifo(scratch.path("answer").c_str(), 0600), 0);
  constexpr int kInherited = 97;
  ASSERT_EQ(::dup2(STDERR_FILENO, kInherited), kInherited);
  Command command = shell(
      "streams=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2)\n"
      "session=$(cut -d ' ' -f 6 /proc/$$/stat)\n"
      "[ -e /proc/$$/fd/97 ] && inherited=yes\n"
      "echo $session $streams $inherited > answer");
  command.folder = scratch.path();
  const int pid = real_processes().start_detached(command).value();
  ::close(kInherited);
  EXPECT_EQ(scratch.read("answer"), cat(pid, " /dev/null /dev/null /dev/null\n"));  // waits until it writes
}

TEST(Process, ADetachedOneThatCannotStartIsAnError) {
  EXPECT_FALSE(real_processes().start_detached({{"/no/such/program"}, {}, ""}).has_value());
  Command command = shell("true");
  command.folder = "/no/such/folder";
  EXPECT_FALSE(real_processes().start_detached(command).has_value());
}

TEST(Clock, WaitingEndsEarlyWhenAStopIsAskedFor) {
  std::stop_source source;
  source.request_stop();
  EXPECT_TRUE(real_clock().wait(std::chrono::hours(1), source.get_token()));
  EXPECT_FALSE(real_clock().wait(std::chrono::milliseconds(1), {}));
}

TEST(Environment, IsTheProcessesOwn) {
  ::setenv("TRAINMAKE_TEST_WORD", "a=b", 1);
  EXPECT_EQ(Environment::of_process().get("TRAINMAKE_TEST_WORD"), "a=b");
  EXPECT_EQ(Environment{}.get("PATH"), std::nullopt);
}

}  // namespace
}  // namespace trainmake
