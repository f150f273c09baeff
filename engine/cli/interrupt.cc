#include "engine/cli/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/cli/report.h"

namespace trainmake {
namespace {

int wake_pipe[2] = {-1, -1};

extern "C" void on_signal(int) {
  const int saved = errno;
  const char byte = 's';
  (void)!::write(wake_pipe[1], &byte, 1);
  errno = saved;
}

extern "C" void on_signal_at_once(int) { ::_exit(exit_code_of(Blame::kInterrupted)); }

void take_signals(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

void end_on_interrupt() { take_signals(on_signal_at_once); }

Interrupts::Interrupts() {
  CHECK(::pipe2(wake_pipe, O_CLOEXEC) == 0);
  take_signals(on_signal);
  thread_ = std::thread([this] { listen(); });
}

Interrupts::~Interrupts() {
  const char byte = 'q';
  (void)!::write(wake_pipe[1], &byte, 1);
  thread_.join();
}

void Interrupts::listen() {
  int signals = 0;
  for (;;) {
    char byte = 0;
    if (::read(wake_pipe[0], &byte, 1) != 1) continue;
    if (byte == 'q') return;
    if (++signals == 1) {
      first_.request_stop();
    } else if (signals > 2) {
      // Somebody insists. Everything durable is written by rename or in a transaction, so there is nothing to
      // tidy.
      write_stderr("\n");
      ::_exit(exit_code_of(Blame::kInterrupted));
    }
  }
}

}  // namespace trainmake
