#include "rules/job/platforms/local/local_platform.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "engine/base/log_file.h"
#include "engine/base/reserved_file.h"
#include "engine/base/text.h"
#include "engine/base/tree_size.h"
#include "engine/base/working_folder.h"
#include "engine/container/runtime.h"
#include "rules/job/checkpoint.h"
#include "rules/job/container_layout.h"
#include "rules/job/note_files.h"
#include "rules/job/platforms/local/leftovers.h"
#include "rules/job/platforms/local/start_lock.h"
#include "rules/job/platforms/local/start_process.h"
#include "rules/job/platforms/local/supervisor.h"
#include "rules/job/sizes.h"

namespace trainmake {
namespace {

constexpr std::chrono::seconds kLongestStart{20};
constexpr const char* kUsualPath = "/usr/bin:/bin";
constexpr const char* kOfSeenFolder =
    "A job sees its run's checkpoint folder here, and no other; it lies in checkpoints/.\n";

Result<std::optional<Start>> start_of(FileSystem& files, const RunFolder& run) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files, run.started()));
  if (!text) return std::optional<Start>();
  return std::optional<Start>(parse_start(*text).value_or(Start{}));
}

Result<HeldGpus> take_gpus(GpuQueue& queue, Clock& clock, const std::function<void(std::string)>& tell) {
  constexpr std::chrono::milliseconds kPause{200};
  std::string why, told;
  for (;; clock.wait(kPause, {})) {
    TRY_ASSIGN(std::optional<HeldGpus> held, queue.try_take(why));
    if (held) return *std::move(held);
    if (why != told) tell(cat("It ", why));
    told = why;
  }
}

// By which the job is held here, with all the nodes that are played; what it says of other machines is not
// looked at.
Result<ResourceLimits> limits_for(const Table& resources) {
  ResourceLimits limits;
  const std::int64_t nodes = count_of(resources, "nodes", 1);
  TRY_ASSIGN(const std::uint64_t memory_mib, mebibytes_said(resources, "memory"));
  limits.memory_bytes = (memory_mib << 20U) * static_cast<std::uint64_t>(nodes);
  const Value* cpus = resources.find("cpus");
  if (cpus != nullptr && cpus->is_number())
    limits.cpus = parse_number(scalar_text(*cpus)).value_or(0) * static_cast<double>(nodes);
  return limits;
}

Start never_started(std::int64_t now_ns) {
  Start start;
  start.when_ns = now_ns;
  return start;
}

// A process of this machine is read by its own Python: what `python` is here, else `python3`.
Contract contract_of_process(const Host& host, Contract contract) {
  if (contract.python.empty()) return contract;
  const std::string path = host.environment.get("PATH").value_or(kUsualPath);
  const std::vector<std::string> folders = split(path, ':');
  const bool has_python = std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
    const auto found = host.files.look(path_join(folder, "python"), Links::kFollow);
    return !folder.empty() && found && found->exists();
  });
  contract.python.front() = has_python ? "python" : "python3";
  return contract;
}

Result<std::optional<Order>> order_of(FileSystem& files, const RunFolder& run) {
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(files, run.order()));
  return bytes ? parse_order(*bytes) : std::nullopt;
}

// It goes with what the run left.
Result<void> keep_checkpoint(FileSystem& files, const RunFolder& run) {
  TRY_ASSIGN(const std::optional<Order> order, order_of(files, run));
  if (!order) return {};
  const std::string folder = checkpoint_of(*order);
  if (folder.empty()) {
    return fail(step_error(cat(quoted(run.order()), " names no ", quoted(kCheckpointFolder), ", so that the ",
                               "checkpoint of run ", quoted(path_name(run.top)), " stays where it is"),
                           "`trainmake gc` removes it when it is old"));
  }
  TRY_ASSIGN(const bool there, is_there(files, folder));
  return there ? files.rename(folder, run.checkpoint()) : Result<void>();
}

}  // namespace

LocalOptions local_options_of(const Service& platform, const Workspace& workspace) {
  LocalOptions options{platform.says_yes("container"), platform.says_yes("network")};
  if (const std::string* runtime = platform.text("runtime")) options.runtime = *runtime;
  if (const std::string* cdi = platform.text("cdi")) options.cdi = path_join(workspace.root, *cdi);
  return options;
}

Contract contract_with(const LocalOptions& options, Contract contract) {
  if (!options.container) return contract;
  return contract_in_container(std::move(contract), options.network, options.variant);
}

LocalPlatform::LocalPlatform(Host& host, const Workspace& workspace, Blobs& blobs, LocalOptions options,
                             Contract contract)
    : Platform({.contract =
                    options.container ? std::move(contract) : contract_of_process(host, std::move(contract)),
                .reads_in_place = true,
                .one_node = true,
                .is_near = true,
                .runs_images = options.container,
                .variant = options.variant}),
      host_(host),
      workspace_(workspace),
      blobs_(blobs),
      options_(std::move(options)) {}

RunFolder LocalPlatform::folder_of(const std::string& run) const { return {path_join(all_runs(), run)}; }

std::string LocalPlatform::all_runs() const { return path_join(workspace_.cache, "runs"); }

std::string LocalPlatform::all_runs_made() const { return path_join(workspace_.cache, "runs-made"); }

// Of a run that was started here nothing is told while the folder of all of them is away: whoever took that
// for lost would start it beside itself. A copy of this memory elsewhere never had one.
Result<void> LocalPlatform::check_runs_are_there(const JobHandle& job) {
  if (job.job.empty()) return {};
  TRY_ASSIGN(const bool there, is_there(host_.files, all_runs()));
  TRY_ASSIGN(const bool was_made, is_there(host_.files, all_runs_made()));
  if (there || !was_made) return {};
  return fail(not_told(
      user_error(cat("What runs here is not to be seen: no folder ", quoted(all_runs())),
                 cat("Put it back; if it is gone for good, `mkdir ", shell_word(all_runs()), "` says so"))));
}

std::vector<Result<std::string>> LocalPlatform::submit_all(const std::vector<Submission>& jobs) {
  std::vector<Result<std::string>> answers;
  for (const Submission& job : jobs) answers.push_back(start(job));
  return answers;
}

Result<std::string> LocalPlatform::start(const Submission& job) {
  const RunFolder run = folder_of(job.spec.run);
  TRY(drop_settled(run));
  auto laid_out = lay_out(job, run);
  if (laid_out && job.patience.stop.stop_requested()) laid_out = fail(interrupted_error());
  if (!laid_out) {
    if (laid_out.error().blame == Blame::kInterrupted) tell_not_started(job.patience.say);
    return fail(std::move(laid_out).error());
  }
  auto start = start_of(host_.files, run);
  if (!start) return fail(not_told(std::move(start).error()));
  if (!*start) {
    TRY(start_supervisor(run, job.secrets));
    start = start_of(host_.files, run);
    if (!start) return fail(not_told(std::move(start).error()));
  }
  return cat(*start ? (*start)->supervisor : 0);
}

// A folder whose end was remembered, under an id that is used again: the memory was lost since. `settled`
// goes last, so that it can be cut short.
Result<void> LocalPlatform::drop_settled(const RunFolder& run) {
  auto lock = hold_undecided(
      host_.files, host_.clock, run,
      [&]() -> Result<bool> {
        TRY_ASSIGN(const bool settled, is_there(host_.files, run.settled()));
        return !settled;
      },
      kLongestStart);
  if (!lock) return fail(not_told(std::move(lock).error()));
  if (!*lock) return {};
  const std::set<std::string> kept = {run.lock(), run.settled()};
  TRY(remove_others(host_.files, run.top,
                    [&](const std::string& name) { return kept.contains(path_join(run.top, name)); }));
  return host_.files.remove(run.settled());
}

// Unless it has started, or is laid out. Nothing starts it meanwhile, and nobody else lays it out.
Result<void> LocalPlatform::lay_out(const Submission& job, const RunFolder& run) {
  auto lock = hold_unstarted(run);
  if (!lock) return fail(not_told(std::move(lock).error()));
  if (!*lock) return {};
  TRY_ASSIGN(const bool laid_out, is_there(host_.files, run.order()));
  if (laid_out) return {};
  TRY_ASSIGN(PrepareOptions options, how_to_prepare(job.spec, run, checkpoint_folder(job.spec.checkpoint)));
  LayoutProgress progress(host_.clock, job.patience);
  options.progress = &progress;
  TRY(host_.files.create_exclusive(all_runs_made(), ""));
  return prepare(host_.files, blobs_, job.spec, run, options);
}

std::string LocalPlatform::checkpoint_folder(std::string_view name) const {
  return path_join(workspace_.cache, cat("checkpoints/", name));
}

// All runs see theirs there, or paths in a checkpoint would lead to the run that left it. A contract with
// folders of its own has it below the run's; where the kernel allows no mounts, each is where it lies.
Result<std::string> LocalPlatform::checkpoint_seen() {
  if (traits.contract.places) return std::string();
  std::string at = path_join(workspace_.cache, "checkpoint");
  const std::lock_guard lock(seen_mutex_);
  if (!can_show_) {
    // Where it is there, it may be that of a job which this trainmake runs in.
    TRY_ASSIGN(const bool is_made, is_there(host_.files, at));
    if (!is_made) TRY(write_file(host_.files, path_join(at, "README"), kOfSeenFolder));
    can_show_ = can_show({at, at});
  }
  return *can_show_ ? std::move(at) : std::string();
}

Result<PrepareOptions> LocalPlatform::how_to_prepare(const JobSpec& spec, const RunFolder& run,
                                                     std::string checkpoint) {
  PrepareOptions options{traits.contract, workspace_.root, std::move(checkpoint),
                         host_.environment.get("PATH").value_or(kUsualPath)};
  TRY_ASSIGN(options.gpus, gpus_for(spec.resources));
  TRY_ASSIGN(options.limits, limits_for(spec.resources));
  if (!options_.container) {
    // A mount makes another disk of it: what it leaves there cannot be renamed to its output. So only where a
    // job says that it goes on from its own.
    if (!spec.resume) return options;
    TRY_ASSIGN(options.checkpoint_seen, checkpoint_seen());
    return options;
  }
  CHECK(spec.root.has_value());
  TRY_ASSIGN(const Runtime runtime, find_runtime(host_, path_join(run.top, "runtimes"),
                                                 runtime_memo(spec.root->folder), {options_.runtime, true}));
  options.container = {runtime, spec.root->folder, spec.root->layers, spec.root->user, options_.network, {}};
  if (options.gpus) options.container->gpus = ContainerGpus{options_.cdi};
  options.path = kContainerPath;
  return options;
}

Result<int> LocalPlatform::shell(JobSpec spec, const Secrets& secrets,
                                 const std::function<void(std::string)>& tell) {
  TRY_ASSIGN(const std::unique_ptr<WorkingFolder> own,
             WorkingFolder::make(host_, path_join(workspace_.cache, "shells")));
  const RunFolder run{own->path("run")};
  spec.run = "shell";
  TRY_ASSIGN(const PrepareOptions options, how_to_prepare(spec, run, own->path("checkpoint")));
  TRY(prepare(host_.files, blobs_, spec, run, options));
  TRY_ASSIGN(const std::string bytes, read_file(host_.files, run.order()));
  std::optional<Order> order = parse_order(bytes);
  CHECK(order.has_value());
  HeldGpus gpus;
  if (order->gpus) {
    TRY_ASSIGN(GpuQueue queue, GpuQueue::enter(host_, *order->gpus));
    TRY_ASSIGN(gpus, take_gpus(queue, host_.clock, tell));
    give_gpus(gpus.gpus, *order);
  }
  std::string command;
  for (const std::string& word : order->job.arguments)
    command += cat(command.empty() ? "" : " ", shell_word(word));
  tell(cat("Its command is: ", printable(command)));
  order->job.arguments = {"sh", "-c", "command -v bash >/dev/null && exec bash; exec sh"};
  TRY_ASSIGN(StartedProcess started,
             start_process(host_, *order, order->job, secrets, run.scratch(), Streams::kOurs));
  outlive_the_terminal();
  std::string nothing;
  while (!started.child.ended()) TRY(started.child.read(nothing, std::chrono::seconds(1)));
  return job_end_of(*order, *started.child.ended()).exit_code;
}

Result<void> LocalPlatform::admits(const Outlook& job, Asking asking) {
  (void)asking;
  TRY(limits_for(job.resources));
  TRY(gpus_for(job.resources));
  return {};
}

Result<std::optional<GpuRequest>> LocalPlatform::gpus_for(const Table& resources) {
  const std::int64_t count = count_of(resources, "gpus", 0) * count_of(resources, "nodes", 1);
  if (count <= 0) return std::optional<GpuRequest>();
  GpuRequest request{static_cast<std::uint64_t>(count), host_.environment.get("PATH").value_or(kUsualPath),
                     host_.environment.get("CUDA_VISIBLE_DEVICES"),
                     gpu_queue_folder(host_, workspace_.cache)};
  const std::lock_guard lock(gpus_mutex_);
  if (enough_gpus_ >= request.count) return std::optional(std::move(request));
  if (gpus_unknown_) return fail(*gpus_unknown_);
  auto found = find_gpus(host_, request);
  if (!found && found.error().blame == Blame::kRemote) gpus_unknown_ = found.error();
  TRY_ASSIGN(const std::vector<Gpu> gpus, std::move(found));
  if (options_.container) TRY(edits_for_gpus(host_, names_of(gpus), options_.cdi));
  enough_gpus_ = request.count;
  return std::optional(std::move(request));
}

Result<std::optional<FileLock>> LocalPlatform::hold_unstarted(const RunFolder& run) {
  return hold_undecided(
      host_.files, host_.clock, run, [&] { return is_there(host_.files, run.started()); }, kLongestStart);
}

Result<void> LocalPlatform::start_supervisor(const RunFolder& run, const Secrets& secrets) {
  Command command{{"/proc/self/exe", kSuperviseFlag, run.top}, {{kSupervised, run.top}}, run.top};
  for (const auto& [name, value] : secrets) command.environment[variable_of_secret(name)] = value;
  const auto launched = host_.processes.start_detached(command);
  const std::int64_t began = host_.clock.steady_ns();
  while (launched && host_.clock.steady_ns() - began <= std::chrono::nanoseconds(kLongestStart).count()) {
    auto started = is_there(host_.files, run.started());
    if (!started) return fail(not_told(std::move(started).error()));
    if (*started) return {};
    host_.clock.wait(std::chrono::milliseconds(1), {});
  }
  // It may be slow, and so may one that an earlier client started: from here on none of them starts the job.
  auto unstarted = host_.files.create_exclusive(run.started(), render(never_started(host_.clock.now_ns())));
  if (!unstarted) return fail(not_told(std::move(unstarted).error()));
  if (!*unstarted) return {};
  if (!launched) return fail(launched.error());
  return fail(step_error(cat("The supervisor of run ", quoted(path_name(run.top)), " did not start"),
                         cat("See whether ", quoted(run.top), " can be written")));
}

Result<std::optional<Exit>> LocalPlatform::exit_of(const RunFolder& run) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host_.files, run.exit()));
  return text ? parse_exit(*text) : std::nullopt;
}

Result<bool> LocalPlatform::is_supervised(const RunFolder& run) {
  TRY_ASSIGN(const std::optional<FileLock> lock, host_.files.lock(run.lock(), FileLock::Mode::kShared));
  return !lock.has_value();
}

Result<JobStatus> LocalPlatform::look_at(const JobHandle& job, const Patience&) {
  const RunFolder run = folder_of(job.run);
  TRY_ASSIGN(std::optional<Exit> exit, exit_of(run));
  if (exit) return status_of(*exit);
  TRY_ASSIGN(const std::optional<Start> start, start_of(host_.files, run));
  JobStatus status;
  if (!start) {
    // The lock is left alone until there is a start: a supervisor may be about to take it.
    TRY_ASSIGN(status.known, is_there(host_.files, run.order()));
    if (status.known || job.job.empty()) return status;
    TRY(check_runs_are_there(job));
    TRY_ASSIGN(const std::vector<Process> homeless, homeless_of(host_.files, run));
    if (homeless.empty()) return status;
    status.known = true;
    status.status = RunStatus::kLost;
    status.reason = cat("its folder ", quoted(run.top), " was removed while it ran");
    return status;
  }
  status.started_ns = start->when_ns;
  status.status = RunStatus::kRunning;
  TRY_ASSIGN(const bool supervised, is_supervised(run));
  if (supervised) return living_status(run, std::move(status));
  // It may have ended since the first look.
  TRY_ASSIGN(exit, exit_of(run));
  if (exit) return status_of(*exit);
  status.status = RunStatus::kLost;
  status.reason = "its supervisor is gone (killed, or the machine was restarted)";
  return status;
}

// Of one that runs, or waits until it can.
Result<JobStatus> LocalPlatform::living_status(const RunFolder& run, JobStatus status) {
  TRY_ASSIGN(const std::optional<std::string> waits, read_file_if_there(host_.files, run.waiting()));
  if (waits) {
    status.status = RunStatus::kQueued;
    status.started_ns = 0;
    status.reason = *waits;
    return status;
  }
  TRY_ASSIGN(const std::optional<std::string> begun, read_file_if_there(host_.files, run.begun()));
  if (begun) status.started_ns = whole_number<std::int64_t>(*begun).value_or(status.started_ns);
  TRY_ASSIGN(const std::optional<std::string> reserve, read_file_if_there(host_.files, run.reserve()));
  if (reserve) status.reason = ReservedFile::said_in(*reserve);
  return status;
}

Result<std::string> LocalPlatform::read_log(const JobHandle& job, const LogPiece& piece) {
  return read_log_file(folder_of(job.run).log(), piece.offset, piece.limit);
}

std::vector<Result<void>> LocalPlatform::cancel_all(const std::vector<JobHandle>& jobs, const Patience&) {
  std::vector<Result<void>> answers;
  for (const JobHandle& job : jobs) answers.push_back(cancel_one(job));
  return answers;
}

Result<void> LocalPlatform::cancel_one(const JobHandle& job) {
  const RunFolder run = folder_of(job.run);
  TRY_ASSIGN(const bool there, is_there(host_.files, run.top));
  if (!there && !job.job.empty())
    TRY(end_all([&] { return homeless_of(host_.files, run); }, host_.processes, host_.clock));
  TRY_ASSIGN(const bool cancelled, cancel_unstarted(run));
  if (cancelled) return {};
  TRY_ASSIGN(const std::optional<Start> start, start_of(host_.files, run));
  if (!start) return {};
  TRY_ASSIGN(const bool supervised, is_supervised(run));
  // Another client holds the lock, which writes down that it was cancelled.
  if (supervised && start->supervisor == 0) return {};
  return supervised ? end_supervised(run, *start) : end_leftovers(run, *start);
}

// False when it had started. The lock is held until the end is on disk, as by a supervisor: the run is never
// seen lost in between.
Result<bool> LocalPlatform::cancel_unstarted(const RunFolder& run) {
  TRY_ASSIGN(const std::optional<FileLock> lock, hold_unstarted(run));
  if (!lock) return false;
  Exit exit;
  exit.ended_ns = host_.clock.now_ns();
  exit.cancelled = true;
  TRY_ASSIGN(const bool first,
             host_.files.create_exclusive(run.started(), render(never_started(exit.ended_ns))));
  if (!first) return false;
  TRY(write_file(host_.files, run.exit(), render(exit), {.durable = true}));
  return true;
}

Result<void> LocalPlatform::end_supervised(const RunFolder& run, const Start& start) {
  const std::optional<Process> process = find_process(host_.files, start.supervisor);
  // Another has its number after a restart of the machine, or in another container.
  if (process && process->birth == start.birth && is_this_boot(host_.files, start.boot)) {
    auto sent = host_.processes.send(*process, Signal::kTerminate);
    if (!sent) return fail(std::move(sent).error().advise("Was it started by another user?"));
    if (*sent) return {};
  }
  TRY_ASSIGN(const bool supervised, is_supervised(run));  // it may have ended since
  if (!supervised) return end_leftovers(run, start);
  const std::string id(path_name(run.top));
  return fail(step_error(cat("Run ", quoted(id), " goes on, but not here: on another machine or in another ",
                             "container its supervisor is process ", start.supervisor),
                         cat("Use `trainmake cancel ", id, "` there")));
}

Result<void> LocalPlatform::end_leftovers(const RunFolder& run, const Start& start) {
  TRY_ASSIGN(const std::optional<Exit> exit, exit_of(run));
  if (exit) return {};
  return end_all([&] { return leftovers_of(host_.files, run, start); }, host_.processes, host_.clock);
}

Result<std::string> LocalPlatform::left(const JobHandle& job, const LeftRequest& wanted) {
  const RunFolder run = folder_of(job.run);
  if (wanted.what == Left::kCheckpoint) return checkpoint_of(run);
  if (wanted.what == Left::kCheckpointSeen) return checkpoint_seen_by(run);
  return wanted.what == Left::kLogs ? run.log_folder() : run.output();
}

// With what the run left once it succeeded, until then beside; `gc` may have left no more than that.
Result<std::string> LocalPlatform::checkpoint_of(const RunFolder& run) {
  TRY_ASSIGN(const bool is_its_own, is_there(host_.files, run.checkpoint()));
  if (is_its_own) return run.checkpoint();
  TRY_ASSIGN(const std::optional<Order> order, order_of(host_.files, run));
  return order ? trainmake::checkpoint_of(*order) : checkpoint_folder(own_checkpoint(path_name(run.top)));
}

Result<std::string> LocalPlatform::checkpoint_seen_by(const RunFolder& run) {
  TRY_ASSIGN(const std::optional<Order> order, order_of(host_.files, run));
  return order && !order->seen.empty() ? order->seen.front().at : std::string();
}

Result<void> LocalPlatform::settled(const JobHandle& job, RunStatus end,
                                    const std::vector<std::string>& stored) {
  const RunFolder run = folder_of(job.run);
  TRY(write_file(host_.files, run.settled(), name_of(end)));
  for (const std::string& folder :
       {run.data(), run.read_only(), run.home(), run.scratch(), run.places(), run.reserve(), run.resumed()})
    TRY(host_.files.remove(folder));
  if (end != RunStatus::kSucceeded) return {};
  TRY(keep_checkpoint(host_.files, run));
  TRY(host_.files.remove(run.code()));
  const std::string output = *path_below(run.output(), run.top);
  for (const std::string& path : stored) {
    // Beyond a link that the job left lies what is not ours.
    const std::string from_top = path_join(output, path);
    TRY_ASSIGN(const std::string link, link_between(host_.files, run.top, from_top));
    if (link.empty()) TRY(host_.files.remove(path_join(run.top, from_top)));
  }
  return {};
}

}  // namespace trainmake
