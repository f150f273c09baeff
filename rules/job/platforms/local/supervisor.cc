#include "rules/job/platforms/local/supervisor.h"

#include <algorithm>
#include <chrono>

#include "engine/base/host.h"
#include "engine/base/log_file.h"
#include "engine/base/redactor.h"
#include "engine/base/text.h"
#include "rules/job/platforms/local/leftovers.h"
#include "rules/job/platforms/local/patient_log.h"
#include "rules/job/platforms/local/run_folder.h"
#include "rules/job/platforms/local/start_lock.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTimeToEnd{10'000};  // between SIGTERM and SIGKILL
constexpr milliseconds kLastWords{200};     // for output that is still in the pipe when the job has ended
constexpr milliseconds kFirstPause{50}, kLongestPause{10'000};  // between tries to write down the end
constexpr std::int64_t kLongestEndNs = 3'600'000'000'000;       // for all of them: a full disk may be emptied

// Ours when this process is the one that runs the job. The lock comes first: who sees `started` finds the
// lock held for as long as the job is watched.
Result<std::optional<FileLock>> claim(FileSystem& files, Clock& clock, const RunFolder& run,
                                      std::int64_t now_ns) {
  const Decided decided = [&]() -> Result<bool> {
    TRY_ASSIGN(const Stat started, files.look(run.started()));
    return started.exists();
  };
  TRY_ASSIGN(std::optional<FileLock> lock,
             hold_undecided(files, clock, run, decided, std::chrono::nanoseconds::max()));
  if (!lock) return lock;
  TRY_ASSIGN(const Start start, start_of_this_process(files, run, now_ns));
  TRY_ASSIGN(const bool first, files.create_exclusive(run.started(), render(start)));
  return first ? std::move(lock) : std::optional<FileLock>();
}

// Ends the child when it takes too long or is cancelled: asks first, and then does not ask.
class Deadline {
 public:
  Deadline(Clock& clock, std::int64_t timeout_s)
      : clock_(clock), timeout_s_(timeout_s), began_ns_(clock.steady_ns()) {}

  void apply(Child& child, Exit& exit) {
    const std::int64_t now = clock_.steady_ns();
    if (asked_ns_ == 0) {
      if (termination_asked()) {
        exit.cancelled = true;
      } else if (timeout_s_ > 0 && now - began_ns_ >= timeout_s_ * 1'000'000'000) {
        exit.timed_out_s = timeout_s_;
      } else {
        return;
      }
      asked_ns_ = now;
      child.ask_to_end();
    } else if (now - asked_ns_ >= std::chrono::nanoseconds(kTimeToEnd).count()) {
      child.kill();
    }
  }

 private:
  Clock& clock_;
  std::int64_t timeout_s_;
  std::int64_t began_ns_;
  std::int64_t asked_ns_ = 0;
};

// What the job started and did not wait for goes with it, wherever it hid: nobody would watch it.
void end_the_rest(Child& child, Clock& clock, PatientLog& log) {
  const FindProcesses find = [&]() -> Result<std::vector<Process>> {
    if (!child.reap_orphans()) return std::vector<Process>();
    return descendants_of_this_process(real_file_system());
  };
  if (const auto ended = end_all(find, real_processes(), clock); !ended)
    log.append(cat(ended.error().message, "\n"));
}

Result<void> watch(Child& child, Clock& clock, std::int64_t timeout_s, Redactor& redactor, PatientLog& log,
                   Exit& exit) {
  Deadline deadline(clock, timeout_s);
  std::string bytes;
  bool more = true;
  while (!child.ended()) {
    deadline.apply(child, exit);
    bytes.clear();
    TRY_ASSIGN(more, child.read(bytes, milliseconds(100)));
    log.append(redactor.pass(bytes));
    child.reap_orphans();
  }
  exit.end = *child.ended();
  end_the_rest(child, clock, log);
  // Something that could not be ended may hold the pipe open for ever.
  while (more) {
    bytes.clear();
    TRY_ASSIGN(more, child.read(bytes, kLastWords));
    if (bytes.empty()) break;
    log.append(redactor.pass(bytes));
  }
  log.append(redactor.finish());
  log.finish();
  return {};
}

Result<void> run_job(FileSystem& files, Clock& clock, const RunFolder& run, Exit& exit) {
  TRY_ASSIGN(const std::string bytes, read_file(files, run.order()));
  std::optional<Order> order = parse_order(bytes);
  if (!order) return fail(step_error(cat("Cannot read ", quoted(run.order()))));
  const Environment environment = Environment::of_process();
  std::vector<std::string> values;
  for (const std::string& name : order->secrets) {
    const std::string value = environment.get(variable_of_secret(name)).value_or("");
    order->job.environment[name] = value;
    values.push_back(value);
  }
  TRY_ASSIGN(LogFile file, LogFile::open(run.log()));
  PatientLog log([&](std::string_view words) { return file.append(words); });
  Redactor redactor(std::move(values));
  auto child =
      Child::start({order->job.arguments, order->job.environment, order->job.folder, order->read_only});
  if (!child) {
    exit.error = child.error().message;
    exit.end.exit_code = 127;
    log.append(cat(child.error().message, "\n"));
    return {};
  }
  return watch(*child, clock, order->timeout_s, redactor, log, exit);
}

Result<void> write_end(FileSystem& files, Clock& clock, const RunFolder& run, const Exit& exit) {
  const std::int64_t began = clock.steady_ns();
  for (milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto written = write_file(files, run.exit(), render(exit), {.durable = true});
    if (written || clock.steady_ns() - began > kLongestEndNs) return written;
    clock.wait(pause, {});
  }
}

}  // namespace

int supervise(const std::string& run_folder) {
  outlive_the_terminal();
  adopt_orphans();
  FileSystem& files = real_file_system();
  Clock& clock = real_clock();
  const RunFolder run{run_folder};
  Exit exit;
  exit.started_ns = clock.now_ns();
  const auto lock = claim(files, clock, run, exit.started_ns);
  if (!lock) return 1;
  if (!*lock) return 0;
  if (auto ran = run_job(files, clock, run, exit); !ran) {
    exit.error = ran.error().message;
    exit.end.exit_code = exit.end.exit_code != 0 ? exit.end.exit_code : 1;
  }
  exit.ended_ns = clock.now_ns();
  // The lock is held until the end is on disk: without the one there is always the other.
  return write_end(files, clock, run, exit) ? 0 : 1;
}

}  // namespace trainmake
