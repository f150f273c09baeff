#include "engine/base/first_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>

#include "engine/base/descriptor.h"

namespace trainmake {
namespace {

constexpr int kNotTold = 125;             // what was started cannot be found
constexpr timespec kLook{0, 10'000'000};  // between looks at what is left
constexpr int kLooksToEnd = 300;          // between SIGTERM and SIGKILL

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

pid_t read_number(const char* path) {
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t size = retried([&] { return read(file.get(), text.data(), text.size()); });
  pid_t number = 0;
  if (size > 0) std::from_chars(text.data(), text.data() + size, number);
  return number;
}

// Others that end meanwhile are reaped.
int await(pid_t number) {
  for (;;) {
    int status = 0;
    const pid_t ended = retried([&] { return waitpid(-1, &status, 0); });
    if (ended < 0) _exit(kNotTold);
    if (ended == number) return exit_code_of(status);
  }
}

bool nothing_lives() {
  pid_t ended = 0;
  do {
    ended = waitpid(-1, nullptr, WNOHANG);
  } while (ended > 0);
  return ended < 0;
}

void end_the_rest() {
  kill(-1, SIGTERM);
  for (int looks = 0; looks < kLooksToEnd; ++looks) {
    if (nothing_lives()) return;
    nanosleep(&kLook, nullptr);
  }
  kill(-1, SIGKILL);
  while (retried([] { return waitpid(-1, nullptr, 0); }) > 0) {
  }
}

// What it says is of no use to whoever reads what the child printed.
void run(char* const* command, char* const* environment) {
  const pid_t number = fork();
  if (number == 0) {
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int standard : {0, 1, 2}) dup2(nothing, standard);
    execve(command[0], command, environment);
    _exit(127);
  }
  if (number > 0) await(number);
}

}  // namespace

bool stay_as_first(const FirstProcess& first) {
  const pid_t program = fork();
  if (program <= 0) return program == 0;
  close_range(3, ~0U, 0);
  int status = 0;
  // It alone: what it started may have ended before it tells which that is.
  if (retried([&] { return waitpid(program, &status, 0); }) != program) _exit(kNotTold);
  int exit_code = exit_code_of(status);
  if (exit_code == 0) {
    const pid_t started = read_number(first.pid_file);
    exit_code = started > 0 ? await(started) : kNotTold;
  }
  end_the_rest();
  if (first.tidy_up != nullptr) run(first.tidy_up, first.environment);
  _exit(exit_code);
}

}  // namespace trainmake
