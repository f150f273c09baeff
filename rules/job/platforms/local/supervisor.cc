#include "rules/job/platforms/local/supervisor.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <stop_token>
#include <thread>
#include <utility>

#include "cache/listing.h"
#include "engine/base/disk_space.h"
#include "engine/base/host.h"
#include "engine/base/log_file.h"
#include "engine/base/loopback.h"
#include "engine/base/reserved_file.h"
#include "engine/base/text.h"
#include "rules/job/contracts.h"
#include "rules/job/note_files.h"
#include "rules/job/platforms/local/leftovers.h"
#include "rules/job/platforms/local/patient_log.h"
#include "rules/job/platforms/local/run_folder.h"
#include "rules/job/platforms/local/start_lock.h"
#include "rules/job/platforms/local/start_process.h"
#include "rules/job/platforms/local/task_group.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{100};       // at whether it is cancelled
constexpr milliseconds kLastWords{200};  // for output that is still in the pipe when the job has ended
constexpr milliseconds kFirstLook{20}, kLongestLook{500};      // at the queue for gpus
constexpr milliseconds kFirstPause{50}, kLongestPause{2'000};  // between tries to write down the end
constexpr std::int64_t kLongestEndNs = 3'600'000'000'000;      // for all of them, unless the disk is full

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

// What the supervisor writes when there may be no room: that there is none, and the end. An order of an
// earlier trainmake comes without a reserve.
class LastWords {
 public:
  LastWords(FileSystem& files, const RunFolder& run) : files_(files), run_(run) {
    if (auto reserve = ReservedFile::open(run.reserve())) reserve_ = *std::move(reserve);
  }

  // Told to whoever looks, till it is written again.
  void heard_of_log(const Result<void>& written) {
    if (!written && tells_of_full_disk(written.error()))
      say(cat("the disk of ", quoted(run_.top),
              " is full: free some room; what it prints is lost meanwhile"));
    else
      say(written ? "" : cat("its log cannot be written: ", written.error().message));
  }

  Result<void> write_end(const std::string& end) {
    auto written = write_file(files_, run_.exit(), end, {.durable = true});
    if (!written && reserve_ && tells_of_full_disk(written.error())) {
      if (reserve_->become(run_.exit(), end)) return {};
      give_up_reserve();  // it has room that it cannot use itself
      written = write_file(files_, run_.exit(), end, {.durable = true});
    }
    if (written)
      give_up_reserve();
    else if (tells_of_full_disk(written.error()))
      say(cat("the disk of ", quoted(run_.top),
              " is full: free some room; the end of the job is written as soon as there is"));
    else
      say(cat("its end cannot be written, and that is tried again: ", written.error().message));
    return written;
  }

 private:
  void say(const std::string& text) {
    if (text == said_ || !reserve_ || !reserve_->say(text)) return;
    said_ = text;
  }
  void give_up_reserve() {
    reserve_.reset();
    (void)files_.remove(run_.reserve());
  }

  FileSystem& files_;
  const RunFolder& run_;
  std::optional<ReservedFile> reserve_;
  std::string said_;
};

// When the job takes too long or is cancelled.
class Deadline {
 public:
  Deadline(Clock& clock, std::int64_t timeout_s)
      : clock_(clock), timeout_s_(timeout_s), began_ns_(clock.steady_ns()) {}

  bool is_over(Exit& exit) const {
    if (exit.timed_out_s > 0 || exit.cancelled) return true;
    if (termination_asked())
      exit.cancelled = true;
    else if (timeout_s_ > 0 && clock_.steady_ns() - began_ns_ >= timeout_s_ * 1'000'000'000)
      exit.timed_out_s = timeout_s_;
    return exit.timed_out_s > 0 || exit.cancelled;
  }

 private:
  Clock& clock_;
  std::int64_t timeout_s_;
  std::int64_t began_ns_;
};

// What the job started and did not wait for goes with it, wherever it hid: nobody would watch it.
void end_the_rest(TaskGroup& group, Clock& clock, PatientLog& log) {
  const FindProcesses find = [&]() -> Result<std::vector<Process>> {
    if (!group.reap_orphans()) return std::vector<Process>();
    return descendants_of_this_process(real_file_system());
  };
  if (const auto ended = end_all(find, real_processes(), clock); !ended)
    log.append(cat(ended.error().message, "\n"));
}

Result<void> watch(TaskGroup& group, Clock& clock, const Order& order, PatientLog& log, Exit& exit) {
  const Deadline deadline(clock, order.timeout_s);
  for (bool more = true; more;) {
    if (deadline.is_over(exit)) group.ask_to_end(clock.steady_ns());
    TRY_ASSIGN(more, group.tend(clock.steady_ns(), kLook));
  }
  const TaskGroup::End end = group.end();
  exit.end = job_end_of(order, end.end);
  exit.task = end.name;
  end_the_rest(group, clock, log);
  TRY(group.finish(kLastWords));
  log.finish();
  return {};
}

// Stops what waits once this process is asked to end.
class StopOnTermination {
 public:
  explicit StopOnTermination(Clock& clock)
      : watcher_([this, &clock](const std::stop_token& over) {
          while (!termination_asked()) {
            if (clock.wait(kLook, over)) return;
          }
          asked_.request_stop();
        }) {}
  std::stop_token token() const { return asked_.get_token(); }

 private:
  std::stop_source asked_;
  std::jthread watcher_;  // last: it uses the other
};

Result<HeldGpus> take_gpus(Host& host, const RunFolder& run, const GpuRequest& request,
                           const std::stop_token& stop) {
  TRY_ASSIGN(GpuQueue queue, GpuQueue::enter(host, request, stop));
  std::string why, told;
  for (milliseconds pause = kFirstLook;; pause = std::min(pause * 2, kLongestLook)) {
    TRY_ASSIGN(std::optional<HeldGpus> held, queue.try_take(why, stop));
    if (held) return *std::move(held);
    // Where there is no room for that, it waits all the same.
    if (why != told && write_file(host.files, run.waiting(), why)) told = why;
    if (host.clock.wait(pause, stop)) return fail(interrupted_error());
  }
}

// Until the job has its gpus: nothing when it is cancelled before.
Result<std::optional<HeldGpus>> wait_for_gpus(Host& host, const RunFolder& run, const GpuRequest& request) {
  const StopOnTermination termination(host.clock);
  auto held = take_gpus(host, run, request, termination.token());
  if (held) return std::optional(*std::move(held));
  if (held.error().blame == Blame::kInterrupted) return std::optional<HeldGpus>();
  return fail(std::move(held).error());
}

// Or the job would begin anew without a word: it may have been long since the folder was laid out.
Result<void> check_checkpoint(FileSystem& files, const RunFolder& run, const Order& order) {
  const std::string folder = checkpoint_of(order);
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(files, run.resumed()));
  if (!bytes) return folder.empty() ? Result<void>() : files.make_folder(folder);
  const std::optional<Listing> resumed = decode_listing(*bytes);
  if (!resumed) return fail(step_error(cat("Cannot read ", quoted(run.resumed()))));
  for (const ListedFile& file : *resumed) {
    TRY_ASSIGN(const Stat there, files.look(path_join(folder, file.key)));
    const bool is_as_it_was = is_folder(file.key) ? there.is(FileKind::kFolder)
                              : file.link_target.empty()
                                  ? there.is(FileKind::kFile) && there.size == file.size
                                  : there.exists();
    if (is_as_it_was) continue;
    return fail(step_error(
        cat("what it was to go on from was removed or changed before it began: ", quoted(file.key), " in ",
            quoted(folder), "; the next try gets it there anew, or `resume = false` begins without")));
  }
  return {};
}

// What the job is given of them is this run's until `held` goes.
Result<bool> begin(Host& host, const RunFolder& run, Order& order, HeldGpus& held, Exit& exit) {
  const std::int64_t asked_ns = std::exchange(exit.started_ns, 0);
  std::optional<HeldGpus> taken;
  if (order.gpus) {
    TRY_ASSIGN(taken, wait_for_gpus(host, run, *order.gpus));
    exit.cancelled = !taken;
    if (exit.cancelled) return false;
  }
  TRY(check_checkpoint(host.files, run, order));
  exit.started_ns = taken ? host.clock.now_ns() : asked_ns;
  if (!taken) return true;
  held = *std::move(taken);
  give_gpus(held.gpus, order);
  (void)write_file(host.files, run.begun(), cat(exit.started_ns));  // its end tells that, too
  TRY(host.files.remove(run.waiting()));
  return true;
}

// Starts what its order says, and holds what the processes need while they run.
class ProcessStarter {
 public:
  ProcessStarter(Host& host, const Order& order, const Secrets& secrets, std::string scratch)
      : host_(host), order_(order), secrets_(secrets), scratch_(std::move(scratch)) {}

  // By now it is known where they listen.
  Result<std::vector<TaskGroup::Member>> members() {
    if (!order_.distribution) return std::vector<TaskGroup::Member>{member({}, order_.job)};
    const std::vector<Task> tasks = tasks_of(*order_.distribution);
    std::vector<std::string> hosts;
    for (const Task& task : tasks) hosts.push_back(loopback_host(task.node));
    TRY_ASSIGN(const std::vector<int> ports, free_ports(hosts));
    std::vector<Address> addresses;
    for (std::size_t i = 0; i < tasks.size(); ++i) addresses.push_back({hosts[i], ports[i]});
    std::vector<TaskGroup::Member> members;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      RenderedJob job = order_.tasks[i];
      ToldTask told = tell(*order_.distribution, tasks[i], addresses);
      job.arguments.insert(job.arguments.end(), told.arguments.begin(), told.arguments.end());
      for (auto& [name, value] : told.environment) job.environment[name] = std::move(value);
      members.push_back(member(tasks[i], std::move(job)));
    }
    return members;
  }

 private:
  // One that ends what runs in containers asks all of them: it is of all, that none is asked twice.
  std::shared_ptr<EndRequest> end_request() {
    if (!order_.container) return std::make_shared<EndRequest>(host_, order_);
    if (!of_containers_) of_containers_ = std::make_shared<EndRequest>(host_, order_);
    return of_containers_;
  }

  TaskGroup::Member member(const Task& task, RenderedJob job) {
    const bool is_one_of_many = order_.distribution.has_value();
    return {is_one_of_many ? task.name() : "", task.serves,
            [this, is_one_of_many, task, job = std::move(job)]() -> Result<Child> {
              TRY_ASSIGN(StartedProcess started,
                         start_process(host_, order_, job, secrets_,
                                       is_one_of_many ? path_join(scratch_, cat(task.rank)) : scratch_,
                                       Streams::kKept, is_one_of_many ? &task : nullptr));
              std::move(started.layers.begin(), started.layers.end(), std::back_inserter(layers_));
              return std::move(started.child);
            },
            [request = end_request()](Child& child) { request->ask(child); }};
  }

  Host& host_;
  const Order& order_;
  const Secrets& secrets_;
  std::string scratch_;
  std::shared_ptr<EndRequest> of_containers_;
  std::vector<UnpackedLayer> layers_;
};

Result<void> run_job(Host& host, const RunFolder& run, LastWords& words, Exit& exit) {
  TRY_ASSIGN(const std::string bytes, read_file(host.files, run.order()));
  std::optional<Order> order = parse_order(bytes);
  if (!order) return fail(step_error(cat("Cannot read ", quoted(run.order()))));
  HeldGpus gpus;
  TRY_ASSIGN(const bool begins, begin(host, run, *order, gpus, exit));
  if (!begins) return {};
  Secrets secrets;
  for (const std::string& name : order->secrets)
    secrets[name] = host.environment.get(variable_of_secret(name)).value_or("");
  TRY_ASSIGN(LogFile file, LogFile::open(run.log()));
  PatientLog log([&](std::string_view printed) {
    auto written = file.append(printed);
    words.heard_of_log(written);
    return written;
  });
  ProcessStarter processes(host, *order, secrets, run.scratch());
  TRY_ASSIGN(const std::vector<TaskGroup::Member> members, processes.members());
  const LimitedResources limited(host.files, order->limits, std::string(path_name(run.top)));
  auto group = [&] {
    const LimitedResources::Scope within(limited);
    return TaskGroup::start(members, values_of(secrets),
                            [&](std::string_view printed) { log.append(printed); });
  }();
  if (!group) {
    exit.error = group.error().message;
    exit.end.exit_code = 127;
    log.append(cat(group.error().message, "\n"));
    return {};
  }
  auto watched = watch(*group, host.clock, *order, log, exit);
  exit.log_lost = log.lost_in_all();
  if (limited.ran_out_of_memory()) exit.out_of_memory = order->limits.memory_bytes;
  return watched;
}

// A full disk is waited for: till then the lock is held, and the job's own end is not lost.
Result<void> write_end(FileSystem& files, Clock& clock, const RunFolder& run, const Exit& exit,
                       LastWords& words) {
  const std::int64_t began = clock.steady_ns();
  for (milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto written = words.write_end(render(exit));
    if (written) return written;
    const bool is_late = clock.steady_ns() - began > kLongestEndNs;
    const auto there = is_there(files, run.top);
    const bool is_gone = there && !*there;
    if (is_gone || (is_late && !tells_of_full_disk(written.error()))) return written;
    clock.wait(pause, {});
  }
}

}  // namespace

int supervise(const std::string& run_folder) {
  outlive_the_terminal();
  adopt_orphans();
  const Environment environment = Environment::of_process();
  Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  FileSystem& files = host.files;
  Clock& clock = host.clock;
  const RunFolder run{run_folder};
  Exit exit;
  exit.started_ns = clock.now_ns();
  const auto lock = claim(files, clock, run, exit.started_ns);
  if (!lock) return 1;
  if (!*lock) return 0;
  LastWords words(files, run);
  if (auto ran = run_job(host, run, words, exit); !ran) {
    exit.error = ran.error().message;
    exit.end.exit_code = exit.end.exit_code != 0 ? exit.end.exit_code : 1;
  }
  exit.ended_ns = clock.now_ns();
  // The lock is held until the end is on disk: without the one there is always the other.
  return write_end(files, clock, run, exit, words) ? 0 : 1;
}

}  // namespace trainmake
