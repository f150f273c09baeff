// Commands that are run to their end, and processes that outlive us. Nothing of ours but the three standard
// streams reaches them, and those lead to pipes or to nothing. Signals to processes that are nobody's.
// Children that are watched while they run are in child.cc.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <thread>

#include "engine/base/descriptor.h"
#include "engine/base/host.h"
#include "engine/base/launch.h"
#include "engine/base/text.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2U)
#endif

namespace trainmake {

namespace {

constexpr int kPatienceMs = 2000;  // between asking a command to end and killing it, and till it is left

// What exec takes, ready before fork: afterwards nothing may be allocated.
struct Prepared {
  explicit Prepared(const Command& command) {
    for (const std::string& argument : command.arguments)
      arguments.push_back(const_cast<char*>(argument.c_str()));
    for (const auto& [name, value] : command.environment) lines.push_back(cat(name, '=', value));
    for (std::string& line : lines) environment.push_back(line.data());
    arguments.push_back(nullptr);
    environment.push_back(nullptr);
  }

  std::string program;
  std::vector<char*> arguments;
  std::vector<std::string> lines;
  std::vector<char*> environment;
};

// Looked up in the command's own PATH. One with a slash is taken as it is, from the command's folder.
Result<std::string> find_program(const Command& command) {
  CHECK(!command.arguments.empty());
  const std::string& name = command.arguments.front();
  if (name.find('/') != name.npos) return name;
  const auto path = command.environment.find("PATH");
  const std::string folders =
      path != command.environment.end() ? path->second : "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& folder : split(folders, ':')) {
    std::string program = path_join(folder.empty() ? "." : folder, name);
    const std::string from_there = path_join(command.folder, program);
    if (!name.empty() && ::access(from_there.c_str(), X_OK) == 0) return program;
  }
  return fail(user_error(cat("Cannot run ", quoted(name), ": it is not in PATH"),
                         "Install it, or add its folder to PATH"));
}

Error cannot_run(const Command& command, int error_number) {
  if (!command.folder.empty() && ::access(command.folder.c_str(), X_OK) != 0) {
    return system_error(cat("Cannot run ", quoted(command.arguments.front()), " in"), command.folder, errno);
  }
  return system_error("Cannot run", command.arguments.front(), error_number);
}

Error was_interrupted(const Command& command) {
  return step_error(cat(quoted(command.arguments.front()), " was interrupted")).because(Blame::kInterrupted);
}

struct Streams {
  int in = -1;  // < 0: nothing to read
  int out, err;
};

// In a process group of its own, so that what it starts can be ended with it. 0 or errno.
int spawn(const Prepared& prepared, const std::string& folder, const Streams& streams, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  if (streams.in < 0)
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  else
    posix_spawn_file_actions_adddup2(&actions, streams.in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, streams.out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, streams.err, STDERR_FILENO);
  if (!folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawn(&pid, prepared.program.c_str(), &actions, &attributes,
                                prepared.arguments.data(), prepared.environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// Gives a process what it reads, on a thread of its own: whoever writes to a pipe waits for its reader.
class Feeder {
 public:
  // `on_error` ends a process that would wait for more.
  Feeder(const Command& command, Descriptor to, std::function<void()> on_error)
      : thread_([this, &command, to = std::move(to), on_error = std::move(on_error)]() mutable {
          sigset_t broken_pipe;
          sigemptyset(&broken_pipe);
          sigaddset(&broken_pipe, SIGPIPE);
          ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
          result_ = command.input([&](std::string_view bytes) { return write(command, to, bytes); });
          if (!result_ && !nobody_reads_) on_error();
          to.reset();
        }) {}

  // What went wrong with it; a process need not read to the end.
  Result<void> finish() {
    thread_.join();
    return nobody_reads_ ? Result<void>() : std::move(result_);
  }

 private:
  Result<void> write(const Command& command, const Descriptor& to, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = retried([&] { return ::write(to.get(), bytes.data(), bytes.size()); });
      if (count < 0) {
        nobody_reads_ = errno == EPIPE;
        return fail(system_error("Cannot write to", command.arguments.front(), errno));
      }
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }

  bool nobody_reads_ = false;
  Result<void> result_;
  std::thread thread_;  // last: it uses the others
};

// Appends what is there now. False at the end, or when there is nothing now.
bool read_some(Descriptor& from, std::string& into) {
  std::array<char, 16 * 1024> buffer;
  const ssize_t count = retried([&] { return ::read(from.get(), buffer.data(), buffer.size()); });
  if (count > 0) into.append(buffer.data(), static_cast<std::size_t>(count));
  if (count == 0) from.reset();
  return count > 0;
}

// Reads both pipes until the process has ended. What it left running may hold the pipes open and is not
// waited for. False when it was stopped and did not even end when it was killed: it waits in the kernel, as
// for a driver that is stuck, and is left there.
bool drain(pid_t pid, const Descriptor& ended, const Descriptor& stopped, Descriptor& out, Descriptor& err,
           ProcessResult& result) {
  int patience = -1;
  bool is_killed = false;
  while (true) {
    std::array<pollfd, 4> events = {{{out.get(), POLLIN, 0},
                                     {err.get(), POLLIN, 0},
                                     {ended.get(), POLLIN, 0},
                                     {patience < 0 ? stopped.get() : -1, POLLIN, 0}}};
    const int ready = ::poll(events.data(), events.size(), patience);
    if (ready < 0) continue;
    if (ready == 0 && is_killed) return false;
    if (ready == 0) ::kill(-pid, SIGKILL);
    is_killed = is_killed || ready == 0;
    if (events[0].revents != 0) read_some(out, result.output);
    if (events[1].revents != 0) read_some(err, result.errors);
    if (events[2].revents != 0) break;
    if (events[3].revents != 0) {
      ::kill(-pid, SIGTERM);
      patience = kPatienceMs;
    }
  }
  for (Descriptor* rest : {&out, &err}) {
    if (*rest) ::fcntl(rest->get(), F_SETFL, O_NONBLOCK);
  }
  while (out && read_some(out, result.output)) continue;
  while (err && read_some(err, result.errors)) continue;
  return true;
}

int wait_for(pid_t pid) {
  int status = 0;
  retried([&] { return ::waitpid(pid, &status, 0); });
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// The last process of a detached start: says its number, becomes the program, or says why it could not.
[[noreturn]] void become_detached(const Prepared& prepared, const char* folder, int report) {
  reset_signals();
  ::setsid();
  const int pid = ::getpid();
  int error = 0;
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (::write(report, &pid, sizeof pid) != sizeof pid) _exit(1);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (nothing < 0 || ::dup2(nothing, stream) < 0) error = errno;
  }
  if (*folder != '\0' && ::chdir(folder) != 0) error = errno;
  if (error == 0) {
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execve(prepared.program.c_str(), prepared.arguments.data(), prepared.environment.data());
    error = errno;
  }
  if (::write(report, &error, sizeof error) != sizeof error) _exit(1);
  _exit(127);
}

class RealProcesses final : public Processes {
 public:
  Result<ProcessResult> run(const Command& command, std::stop_token stop) override {
    Prepared prepared(command);
    TRY_ASSIGN(prepared.program, find_program(command));
    TRY_ASSIGN(Pipe out, Pipe::make());
    TRY_ASSIGN(Pipe err, Pipe::make());
    Pipe in;
    if (command.input) {
      TRY_ASSIGN(in, Pipe::make());
    }
    pid_t pid = 0;
    if (const int error = spawn(prepared, command.folder, {in.out.get(), out.in.get(), err.in.get()}, pid);
        error != 0) {
      return fail(cannot_run(command, error));
    }
    in.out.reset();
    out.in.reset();
    err.in.reset();
    std::optional<Feeder> feeder;
    if (command.input) feeder.emplace(command, std::move(in.in), [pid] { ::kill(-pid, SIGKILL); });
    ProcessResult result;
    const Descriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const Descriptor stopped(::eventfd(0, EFD_CLOEXEC));
    const bool watched = ended && stopped;
    {
      const std::stop_callback on_stop(stop, [&] { ::eventfd_write(stopped.get(), 1); });
      if (watched) {
        if (!drain(pid, ended, stopped, out.out, err.out, result) && !feeder)
          return fail(was_interrupted(command));
      } else {
        ::kill(-pid, SIGKILL);
      }
    }
    // Before the process is waited for: its number is not another's until then.
    const Result<void> fed = feeder ? feeder->finish() : Result<void>();
    result.exit_code = wait_for(pid);
    if (!watched) return fail(system_error("Cannot watch", command.arguments.front(), EMFILE));
    if (stop.stop_requested()) return fail(was_interrupted(command));
    if (!fed) return fail(fed.error());
    return result;
  }

  Result<int> start_detached(const Command& command) override {
    Prepared prepared(command);
    TRY_ASSIGN(prepared.program, find_program(command));
    TRY_ASSIGN(Pipe report, Pipe::make());
    const pid_t between = ::fork();
    if (between < 0) return fail(system_error("Cannot run", command.arguments.front(), errno));
    if (between == 0) {
      const pid_t last = ::fork();
      if (last == 0) become_detached(prepared, command.folder.c_str(), report.in.get());
      _exit(last < 0 ? 1 : 0);
    }
    report.in.reset();
    wait_for(between);
    int pid = 0;
    int error = 0;
    const auto receive = [&](int& number) {
      return retried([&] { return ::read(report.out.get(), &number, sizeof number); }) == sizeof number;
    };
    if (!receive(pid)) return fail(system_error("Cannot run", command.arguments.front(), EAGAIN));
    if (receive(error)) return fail(cannot_run(command, error));
    return pid;
  }

  Result<bool> send(const Process& process, Signal signal) override {
    const int number = signal == Signal::kKill ? SIGKILL : SIGTERM;
    // Opened before the look: what it refers to stays the process that was looked at.
    const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.number, 0)));
    const std::optional<Process> now = find_process(real_file_system(), process.number);
    if (!now || !now->is(process)) return false;
    const long sent = pidfd ? ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0)
                            : ::kill(process.number, number);
    if (sent == 0) return true;
    if (errno == ESRCH) return false;
    return fail(system_error("Cannot end", cat("process ", process.number), errno));
  }
};

}  // namespace

Processes& real_processes() {
  static RealProcesses processes;
  return processes;
}

}  // namespace trainmake
