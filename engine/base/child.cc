#include "engine/base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "engine/base/descriptor.h"
#include "engine/base/enclose.h"
#include "engine/base/first_process.h"
#include "engine/base/launch.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::chrono::milliseconds kLook{50};  // at a process that the kernel does not tell the end of

volatile std::sig_atomic_t termination = 0;

void note_termination(int) { termination = 1; }

void note_nothing(int) {}

// Everything that the child needs after fork, made before it: there it may not allocate.
struct Launch {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  std::vector<char*> tidy_up;
  std::string user_map, group_map;
  const ChildRequest* request;
  int output, report, go, parent;
};

enum class Stage : int { kSetUp, kEnclosure, kView, kFolder, kProgram };

struct Report {
  Stage stage;
  int error_number;
  const char* enclosing;  // what of it failed; the child's memory is a copy of ours
};

void write_whole_file(const char* path, std::string_view text) {
  const Descriptor file(open(path, O_WRONLY | O_CLOEXEC));
  [[maybe_unused]] const ssize_t written = write(file.get(), text.data(), text.size());
}

// A mount namespace of our own: as root, else as the same user in a user namespace of our own.
bool enter_mount_namespace(const Launch& launch) {
  if (unshare(CLONE_NEWNS) != 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    write_whole_file("/proc/self/setgroups", "deny");
    write_whole_file("/proc/self/uid_map", launch.user_map);
    write_whole_file("/proc/self/gid_map", launch.group_map);
  }
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// Flags that a user namespace may not drop from a mount that it did not make.
unsigned long kept_flags(const char* at) {
  struct statvfs what {};
  if (statvfs(at, &what) != 0) return 0;
  unsigned long flags = 0;
  if ((what.f_flag & ST_NOSUID) != 0) flags |= MS_NOSUID;
  if ((what.f_flag & ST_NODEV) != 0) flags |= MS_NODEV;
  if ((what.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
  if ((what.f_flag & ST_NOATIME) != 0) flags |= MS_NOATIME;
  if ((what.f_flag & ST_NODIRATIME) != 0) flags |= MS_NODIRATIME;
  if ((what.f_flag & ST_RELATIME) != 0) flags |= MS_RELATIME;
  return flags;
}

bool mount_read_only(const ReadOnlyFolder& view) {
  const char* at = view.at.c_str();
  if (mount(view.folder.c_str(), at, nullptr, MS_BIND | MS_REC, nullptr) != 0) return false;
  if (mount(nullptr, at, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | kept_flags(at), nullptr) == 0)
    return true;
  umount2(at, MNT_DETACH);
  return false;
}

// False when it cannot be given what has no other way.
bool show_folders(const Launch& launch) {
  const ChildRequest& request = *launch.request;
  if (request.read_only.empty() && request.seen.empty()) return true;
  const bool mounts = enter_mount_namespace(launch);
  for (const ReadOnlyFolder& view : request.read_only) {
    if (mounts && mount_read_only(view)) continue;
    rmdir(view.at.c_str());
    [[maybe_unused]] const int linked = symlink(view.folder.c_str(), view.at.c_str());
  }
  return std::all_of(request.seen.begin(), request.seen.end(), [&](const SeenFolder& seen) {
    return mounts && mount(seen.folder.c_str(), seen.at.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0;
  });
}

[[noreturn]] void give_up(const Launch& launch, Stage stage, const char* enclosing = nullptr) {
  const Report report{stage, errno, enclosing};
  [[maybe_unused]] const ssize_t written = write(launch.report, &report, sizeof report);
  _exit(127);
}

[[noreturn]] void become(const Launch& launch) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::optional<Enclosure>& enclosure = launch.request->enclosure;
  if (enclosure ? !wait_to_be_mapped(launch.go) : getppid() != launch.parent) _exit(127);
  reset_signals();
  if (!launch.request->interactive) {
    setpgid(0, 0);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(launch.output, 1) < 0 || dup2(launch.output, 2) < 0)
      give_up(launch, Stage::kSetUp);
  }
  if (enclosure) {
    if (const char* failed = enclose(*enclosure)) give_up(launch, Stage::kEnclosure, failed);
  }
  if (!show_folders(launch)) give_up(launch, Stage::kView);
  // Entering a user namespace clears it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!launch.request->keeps_open_files) close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (enclosure && !hand_over(*enclosure)) give_up(launch, Stage::kSetUp);
  if (chdir(launch.request->folder.c_str()) != 0) give_up(launch, Stage::kFolder);
  if (enclosure && enclosure->detached) {
    char* const* tidy_up = launch.tidy_up.front() == nullptr ? nullptr : launch.tidy_up.data();
    if (!stay_as_first({enclosure->detached->pid_file.c_str(), tidy_up, launch.environment.data()}))
      give_up(launch, Stage::kSetUp);
  }
  environ = const_cast<char**>(launch.environment.data());
  execvp(launch.arguments[0], launch.arguments.data());
  give_up(launch, Stage::kProgram);
}

Error start_error(const ChildRequest& request, const Report& report) {
  switch (report.stage) {
    case Stage::kFolder:
      return system_error("Cannot enter", request.folder, report.error_number).because(Blame::kStep);
    case Stage::kProgram:
      return system_error("Cannot run", request.arguments[0], report.error_number).because(Blame::kStep);
    case Stage::kEnclosure:
      return step_error(
          cat("A container cannot ", report.enclosing, ": ", std::strerror(report.error_number)));
    case Stage::kView:
      return system_error("Cannot show a folder to", request.arguments[0], report.error_number)
          .because(Blame::kStep);
    case Stage::kSetUp:
      break;
  }
  return system_error("Cannot prepare to run", request.arguments[0], report.error_number)
      .because(Blame::kStep);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

void map_this_user(Launch& launch) {
  launch.user_map = cat(geteuid(), " ", geteuid(), " 1");
  launch.group_map = cat(getegid(), " ", getegid(), " 1");
}

}  // namespace

bool can_show(const SeenFolder& seen) {
  ChildRequest request;
  request.seen = {seen};
  Launch launch{};
  map_this_user(launch);
  launch.request = &request;
  const int pid = fork();
  if (pid == 0) _exit(show_folders(launch) ? 0 : 1);
  int status = 1;
  return pid > 0 && retried([&] { return waitpid(pid, &status, 0); }) == pid && status == 0;
}

Result<Child> Child::start(const ChildRequest& request) {
  CHECK(!request.arguments.empty());
  TRY_ASSIGN(Pipe output, Pipe::make());
  TRY_ASSIGN(Pipe report, Pipe::make());
  TRY_ASSIGN(Pipe go, Pipe::make());
  std::vector<std::string> arguments = request.arguments;
  std::vector<std::string> tidy_up;
  if (request.enclosure && request.enclosure->detached) tidy_up = request.enclosure->detached->tidy_up;
  std::vector<std::string> environment;
  for (const auto& [name, value] : request.environment) environment.push_back(cat(name, "=", value));
  Launch launch;
  launch.arguments = pointers(arguments);
  launch.environment = pointers(environment);
  launch.tidy_up = pointers(tidy_up);
  map_this_user(launch);
  launch.request = &request;
  launch.output = output.in.get();
  launch.report = report.in.get();
  launch.go = go.out.get();
  launch.parent = getpid();

  const int pid = request.enclosure ? fork_enclosed(*request.enclosure) : fork();
  if (pid < 0 && request.enclosure)
    return fail(step_error(cat("Namespaces cannot be made here: ", std::strerror(errno)),
                           "Containers need root, or user namespaces for everybody"));
  if (pid < 0) return fail(system_error("Cannot start", request.arguments[0], errno).because(Blame::kStep));
  if (pid == 0) {
    go.in.reset();
    become(launch);
  }
  if (!request.interactive) setpgid(pid, pid);
  if (request.enclosure) {
    if (Result<void> mapped = map_user(pid, go.in.get()); !mapped) {
      ::kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      return fail(std::move(mapped).error());
    }
  }
  output.in.reset();
  report.in.reset();
  Report said{};
  if (retried([&] { return ::read(report.out.get(), &said, sizeof said); }) != 0) {
    waitpid(pid, nullptr, 0);
    return fail(start_error(request, said));
  }
  return Child(pid, !request.interactive, std::move(output.out),
               Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))));
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      leads_group_(other.leads_group_),
      pipe_(std::move(other.pipe_)),
      pidfd_(std::move(other.pidfd_)),
      end_(other.end_) {}

Child::~Child() {
  if (pid_ <= 0 || end_) return;
  kill();
  waitpid(pid_, nullptr, 0);
}

Result<bool> Child::read(std::string& into, std::chrono::milliseconds time) {
  std::array<pollfd, 2> watched{};
  nfds_t count = 0;
  if (pipe_) watched[count++] = {pipe_.get(), POLLIN, 0};
  if (!end_ && pidfd_) watched[count++] = {pidfd_.get(), POLLIN, 0};
  if (count == 0 && end_) return false;
  // Without a pidfd an end is noticed by looking often.
  if (!pidfd_) time = std::min(time, kLook);
  const bool ready = poll(watched.data(), count, static_cast<int>(time.count())) > 0;
  if (!pipe_) return false;
  if (!ready || watched[0].revents == 0) return true;
  std::array<char, 1U << 16U> buffer;
  const ssize_t size = retried([&] { return ::read(pipe_.get(), buffer.data(), buffer.size()); });
  if (size < 0) return fail(system_error("Cannot read the output of", cat("process ", pid_), errno));
  if (size == 0) {
    pipe_.reset();
    return false;
  }
  into.append(buffer.data(), static_cast<std::size_t>(size));
  return true;
}

std::optional<ChildEnd> Child::ended() {
  if (end_) return end_;
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
    return std::nullopt;
  end_ = info.si_code == CLD_EXITED ? ChildEnd{info.si_status, 0}
                                    : ChildEnd{128 + info.si_status, info.si_status};
  return end_;
}

void Child::send(int signal_number) {
  if (!end_) ::kill(leads_group_ ? -pid_ : pid_, signal_number);
}

void Child::ask_to_end() { send(SIGTERM); }

void Child::kill() { send(SIGKILL); }

void Child::await_any(const std::vector<Child>& children, std::chrono::milliseconds time) {
  std::vector<pollfd> watched;
  for (const Child& child : children) {
    if (child.pipe_) watched.push_back({child.pipe_.get(), POLLIN, 0});
    if (!child.end_ && child.pidfd_) watched.push_back({child.pidfd_.get(), POLLIN, 0});
    if (!child.end_ && !child.pidfd_) time = std::min(time, kLook);
  }
  poll(watched.data(), watched.size(), static_cast<int>(time.count()));
}

bool Child::reap_orphans(const std::vector<Child>& children) {
  siginfo_t info{};
  while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    if (info.si_pid == 0) return true;
    const bool is_ours = std::any_of(children.begin(), children.end(), [&](const Child& child) {
      return child.pid_ == info.si_pid && !child.end_;
    });
    if (is_ours) return true;  // that is for ended()
    waitpid(info.si_pid, nullptr, 0);
    info = {};
  }
  return false;
}

void outlive_the_terminal() {
  for (const int signal_number : {SIGINT, SIGHUP, SIGPIPE, SIGQUIT}) std::signal(signal_number, SIG_IGN);
  for (const int signal_number : {SIGUSR1, SIGUSR2}) std::signal(signal_number, note_nothing);
  struct sigaction action {};
  action.sa_handler = note_termination;  // no SA_RESTART: a wait must return
  sigaction(SIGTERM, &action, nullptr);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &mask, nullptr);
}

bool termination_asked() { return termination != 0; }

void adopt_orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

int process_id() { return getpid(); }

}  // namespace trainmake
