#include "rules/job/platforms/local/local_platform.h"

#include <chrono>
#include <set>

#include "engine/base/log_file.h"
#include "engine/base/text.h"
#include "engine/base/tree_size.h"
#include "rules/job/platforms/local/leftovers.h"
#include "rules/job/platforms/local/prepare.h"
#include "rules/job/platforms/local/start_lock.h"
#include "rules/job/platforms/local/supervisor.h"

namespace trainmake {
namespace {

constexpr std::chrono::seconds kLongestStart{20};

Result<bool> is_there(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const Stat stat, files.look(path));
  return stat.exists();
}

Result<std::optional<Start>> start_of(FileSystem& files, const RunFolder& run) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files, run.started()));
  if (!text) return std::optional<Start>();
  return std::optional<Start>(parse_start(*text).value_or(Start{}));
}

Start never_started(std::int64_t now_ns) {
  Start start;
  start.when_ns = now_ns;
  return start;
}

// Where it cannot be told whether the run started.
Error not_told(Error error) { return std::move(error).because(Blame::kRemote); }

// What the run resumed from goes with it: a later attempt at the same, asked for by force, starts afresh.
Result<void> keep_checkpoint(FileSystem& files, const RunFolder& run) {
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(files, run.order()));
  const std::optional<Order> order = bytes ? parse_order(*bytes) : std::nullopt;
  if (!order) return {};
  const auto folder = order->job.environment.find("TRAINMAKE_CHECKPOINT_DIR");
  if (folder == order->job.environment.end()) {
    return fail(step_error(cat(quoted(run.order()), " names no `TRAINMAKE_CHECKPOINT_DIR`, so that the ",
                               "checkpoint of run ", quoted(path_name(run.top)), " stays where it is"),
                           "`trainmake gc` removes it when it is old"));
  }
  TRY_ASSIGN(const bool there, is_there(files, folder->second));
  return there ? files.rename(folder->second, run.checkpoint()) : Result<void>();
}

}  // namespace

LocalPlatform::LocalPlatform(Host& host, const Workspace& workspace, Blobs& blobs)
    : Platform({.contract = std::string(kDefaultContract),
                .reads_in_place = true,
                .one_node = true,
                .is_near = true}),
      host_(host),
      workspace_(workspace),
      blobs_(blobs) {}

RunFolder LocalPlatform::folder_of(const std::string& run) const {
  return {path_join(workspace_.cache, cat("runs/", run))};
}

Result<std::string> LocalPlatform::submit(const JobSpec& spec, const Secrets& secrets) {
  const RunFolder run = folder_of(spec.run);
  TRY(drop_settled(run));
  TRY(lay_out(spec, run));
  auto start = start_of(host_.files, run);
  if (!start) return fail(not_told(std::move(start).error()));
  if (!*start) {
    TRY(start_supervisor(run, secrets));
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
Result<void> LocalPlatform::lay_out(const JobSpec& spec, const RunFolder& run) {
  auto lock = hold_unstarted(run);
  if (!lock) return fail(not_told(std::move(lock).error()));
  if (!*lock) return {};
  TRY_ASSIGN(const bool laid_out, is_there(host_.files, run.order()));
  if (laid_out) return {};
  const std::string checkpoint = path_join(workspace_.cache, cat("checkpoints/", spec.checkpoint));
  return prepare(host_.files, blobs_, spec, run,
                 {workspace_.root, checkpoint, host_.environment.get("PATH").value_or("/usr/bin:/bin")});
}

Result<std::optional<FileLock>> LocalPlatform::hold_unstarted(const RunFolder& run) {
  return hold_undecided(
      host_.files, host_.clock, run, [&] { return is_there(host_.files, run.started()); }, kLongestStart);
}

Result<void> LocalPlatform::start_supervisor(const RunFolder& run, const Secrets& secrets) {
  Command command{{"/proc/self/exe", kSuperviseFlag, run.top}, {}, run.top};
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

Result<JobStatus> LocalPlatform::poll(const JobHandle& job) {
  const RunFolder run = folder_of(job.run);
  TRY_ASSIGN(std::optional<Exit> exit, exit_of(run));
  if (exit) return status_of(*exit);
  TRY_ASSIGN(const std::optional<Start> start, start_of(host_.files, run));
  JobStatus status;
  if (!start) {
    // The lock is left alone until there is a start: a supervisor may be about to take it.
    TRY_ASSIGN(status.known, is_there(host_.files, run.order()));
    return status;
  }
  status.started_ns = start->when_ns;
  status.status = RunStatus::kRunning;
  TRY_ASSIGN(const bool supervised, is_supervised(run));
  if (supervised) return status;
  // It may have ended since the first look.
  TRY_ASSIGN(exit, exit_of(run));
  if (exit) return status_of(*exit);
  status.status = RunStatus::kLost;
  status.reason = "its supervisor is gone (killed, or the machine was restarted)";
  return status;
}

Result<std::string> LocalPlatform::read_log(const JobHandle& job, std::int64_t offset, std::size_t limit) {
  return read_log_file(folder_of(job.run).log(), offset, limit);
}

Result<void> LocalPlatform::cancel(const JobHandle& job) {
  const RunFolder run = folder_of(job.run);
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
  exit.started_ns = exit.ended_ns = host_.clock.now_ns();
  exit.cancelled = true;
  TRY_ASSIGN(const bool first,
             host_.files.create_exclusive(run.started(), render(never_started(exit.started_ns))));
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

Result<std::string> LocalPlatform::outputs(const JobHandle& job) { return folder_of(job.run).output(); }

Result<void> LocalPlatform::settled(const JobHandle& job, RunStatus end,
                                    const std::vector<std::string>& stored) {
  const RunFolder run = folder_of(job.run);
  TRY(write_file(host_.files, run.settled(), name_of(end)));
  for (const std::string& folder : {run.data(), run.read_only(), run.home()}) TRY(host_.files.remove(folder));
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
