// What child.cc and process.cc share between asking for a process and its program. Not for others.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "engine/base/descriptor.h"
#include "engine/base/error.h"

namespace trainmake {

struct Pipe {
  Descriptor out, in;  // what goes in comes out

  static Result<Pipe> make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      return fail(system_error("Cannot make", "a pipe", errno).because(Blame::kStep));
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  }
};

// After fork: what we ignore, handle or block is not the program's to inherit. Allocates nothing.
inline void reset_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGCHLD}) ::signal(number, SIG_DFL);
}

}  // namespace trainmake
