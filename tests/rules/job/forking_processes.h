// The outside world of a local job's test: supervisors are forks of the test instead of trainmake executed,
// and no network.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "engine/base/host.h"
#include "rules/job/platforms/local/supervisor.h"

namespace trainmake {

class ForkingProcesses final : public Processes {
 public:
  Result<ProcessResult> run(const Command& command, std::stop_token stop) override {
    return real_processes().run(command, std::move(stop));
  }

  Result<int> start_detached(const Command& command) override {
    ++started;
    if (lose_next) {
      lose_next = false;
      return 1;
    }
    const int first = ::fork();
    if (first == 0) {
      if (::fork() != 0) ::_exit(0);  // so that nobody needs to wait for the one that stays
      ::setsid();
      ::close_range(STDERR_FILENO + 1, ~0U, 0);  // as exec does: a lock that another thread holds is not ours
      ::clearenv();
      for (const auto& [name, value] : command.environment) ::setenv(name.c_str(), value.c_str(), 1);
      ::_exit(supervise(command.arguments.back()));
    }
    ::waitpid(first, nullptr, 0);
    return first;
  }

  Result<bool> send(const Process& process, Signal signal) override {
    if (!refuse_to_send) return real_processes().send(process, signal);
    return fail(step_error("Not permitted"));
  }

  int started = 0;
  bool refuse_to_send = false;
  bool lose_next = false;  // as if it were killed before it did anything
};

class NoHttp final : public Http {
 public:
  Result<HttpResponse> send(const HttpRequest&, std::stop_token) override {
    return fail(step_error("There is no network here"));
  }
};

}  // namespace trainmake
