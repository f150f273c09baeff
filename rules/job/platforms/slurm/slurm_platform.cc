#include "rules/job/platforms/slurm/slurm_platform.h"

#include <set>

#include "engine/base/file_lock.h"
#include "engine/base/log_file.h"
#include "engine/base/text.h"
#include "engine/base/tree_size.h"
#include "rules/job/platforms/slurm/batch_script.h"

namespace trainmake {
namespace {

constexpr std::uint32_t kMineAlone = 0600;
constexpr std::uint32_t kProgram = 0755;

Result<bool> is_there(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const Stat stat, files.look(path));
  return stat.exists();
}

Result<std::string> text_at(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files, path));
  return std::string(trim(text.value_or("")));
}

// Where it cannot be told whether a job started.
Error not_told(Error error) { return std::move(error).because(Blame::kRemote); }

// What the first one wrote, whoever that was.
Result<std::string> write_once(FileSystem& files, const std::string& path, const std::string& text) {
  TRY_ASSIGN(const Stat there, files.look(path));
  if (!there.exists()) {
    TRY(files.make_folder(std::string(path_folder(path))));
    TRY_ASSIGN(const bool first, files.create_exclusive(path, text + "\n"));
    if (first) return text;
  }
  return text_at(files, path);
}

Result<void> check_names(const JobSpec& spec) {
  for (const std::string& name : spec.secrets) {
    if (is_shell_variable(name)) continue;
    return fail(
        user_error(cat("Secret ", quoted(name), " cannot be given to a job of Slurm: a shell reads it, to ",
                       "which this is no variable"),
                   "Name it with letters, digits and `_` alone"));
  }
  return {};
}

// Made here where it is not mounted, it would be another one than that of the nodes.
Result<void> check_shared(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const Stat stat, files.look(folder, Links::kFollow));
  if (stat.is(FileKind::kFolder)) return {};
  return fail(user_error(cat("There is no folder ", quoted(folder), ", which is the platform's `shared_dir`"),
                         "Mount it, or make it where this machine and the nodes see it"));
}

}  // namespace

SlurmPlatform::SlurmPlatform(Host& host, const Workspace& workspace, Blobs& blobs, SlurmOptions options)
    : Platform({.contract = std::string(kDefaultContract)}),
      host_(host),
      workspace_(workspace),
      blobs_(blobs),
      options_(std::move(options)),
      shared_(host, workspace, blobs, options_.shared_dir),
      commands_(host),
      queue_(commands_, host.clock) {}

Result<std::string> SlurmPlatform::home_of_workspace(const char* what) {
  TRY_ASSIGN(const std::string id,
             write_once(host_.files, path_join(workspace_.cache, "slurm-id"), random_name().substr(0, 16)));
  return path_join(options_.shared_dir, cat(what, "/", id));
}

Result<SlurmRun> SlurmPlatform::folder_of(const std::string& run) {
  TRY_ASSIGN(const std::string home, home_of_workspace("runs"));
  return SlurmRun{path_join(home, run)};
}

// Who decides what becomes of a run, among the trainmakes of this workspace.
Result<std::optional<FileLock>> SlurmPlatform::hold(const std::string& run) {
  return wait_for_lock(host_, path_join(workspace_.cache, cat("locks/slurm-", run)),
                       FileLock::Mode::kExclusive, {.may_wait = true});
}

Result<SlurmTraces> SlurmPlatform::traces_of(const SlurmRun& run) {
  FileSystem& files = host_.files;
  SlurmTraces traces;
  TRY_ASSIGN(traces.ticket, text_at(files, run.ticket()));
  TRY_ASSIGN(traces.number, text_at(files, run.number()));
  TRY_ASSIGN(const Stat owner, files.look(run.owner()));
  if (owner.is(FileKind::kLink)) {
    TRY_ASSIGN(traces.owner, files.read_link(run.owner()));
  }
  TRY_ASSIGN(const std::string started, text_at(files, run.started()));
  traces.started_ns = whole_number<std::int64_t>(started).value_or(0);
  TRY_ASSIGN(traces.cancel_asked, is_there(files, run.cancel()));
  TRY_ASSIGN(const std::string exit, text_at(files, run.exit()));
  traces.exit = parse_slurm_exit(exit);
  if (!traces.exit) return traces;
  TRY_ASSIGN(const bool timed_out, is_there(files, run.timed_out()));
  if (!timed_out) return traces;
  TRY_ASSIGN(const std::string limit, text_at(files, run.timed_out()));
  traces.timed_out_s = whole_number<std::int64_t>(limit).value_or(1);
  return traces;
}

Result<std::string> SlurmPlatform::submit(const JobSpec& spec, const Secrets& secrets) {
  TRY(check_names(spec));
  TRY(check_shared(host_.files, options_.shared_dir));
  TRY_ASSIGN(const SlurmRun run, folder_of(spec.run));
  auto lock = hold(spec.run);
  if (!lock) return fail(not_told(std::move(lock).error()));
  if (auto dropped = drop_settled(run); !dropped) return fail(not_told(std::move(dropped).error()));
  auto traces = traces_of(run);
  if (!traces) return fail(not_told(std::move(traces).error()));
  if (!traces->owner.empty()) return traces->owner;
  // With a ticket, a job may be in Slurm whose number nobody wrote down.
  if (!traces->ticket.empty()) {
    TRY_ASSIGN(const std::optional<std::string> number, find(spec.key, *traces));
    if (number) {
      TRY(write_file(host_.files, run.number(), cat(*number, "\n")));
      return *number;
    }
  }
  TRY_ASSIGN(const std::string ticket,
             write_once(host_.files, run.ticket(), cat("trainmake ", random_name().substr(0, 16))));
  return hand_over(spec, secrets, run, ticket);
}

// The number of the job that Slurm knows, or knew, of the run.
Result<std::optional<std::string>> SlurmPlatform::find(const std::string& name, const SlurmTraces& traces) {
  TRY_ASSIGN(const std::vector<SlurmJob> jobs, queue_.named_now(name));
  const SlurmJob* job = job_of(traces, jobs);
  return job == nullptr ? std::optional<std::string>() : std::optional(job->number);
}

Result<std::string> SlurmPlatform::hand_over(const JobSpec& spec, const Secrets& secrets, const SlurmRun& run,
                                             const std::string& ticket) {
  TRY_ASSIGN(const std::vector<std::string> words, lay_out(spec, run, ticket));
  if (!secrets.empty())
    TRY(write_file(host_.files, run.secrets(), render_secrets(secrets), {.mode = kMineAlone}));
  auto number = call_sbatch(words, spec.key, ticket);
  queue_.forget(spec.key);
  if (!number) {
    if (number.error().blame != Blame::kRemote) (void)host_.files.remove(run.secrets());
    return number;
  }
  // Should this fail, it is found by its name.
  (void)write_file(host_.files, run.number(), cat(*number, "\n"));
  return number;
}

Result<std::string> SlurmPlatform::call_sbatch(const std::vector<std::string>& words, const std::string& name,
                                               const std::string& ticket) {
  auto told = commands_.run(words);
  if (told && told->exit_code == 0) {
    if (std::optional<std::string> number = parse_sbatch(told->output)) return *std::move(number);
  }
  if (!told && told.error().blame != Blame::kRemote) return fail(std::move(told).error());
  // An answer that was lost is no refusal.
  const std::string complaint = told ? complaint_of(told->errors) : told.error().message;
  SlurmTraces traces;
  traces.ticket = ticket;
  const auto found = find(name, traces);
  if (found && *found) return **found;
  const bool refused = told && told->exit_code != 0 && told->exit_code < 128 && !leaves_open(complaint);
  Error error = step_error(
      cat("Slurm did not take the job: ", printable(complaint)),
      refused ? "What is asked for stands in the job's `resources` and in the platform in TRAINSPACE.lua"
              : "Run it again: should it have gone through, it is found");
  return fail(refused ? std::move(error) : not_told(std::move(error)));
}

// A folder whose end was remembered, under an id that is used again: the memory was lost since. `settled`
// goes last, so that it can be cut short.
Result<void> SlurmPlatform::drop_settled(const SlurmRun& run) {
  TRY_ASSIGN(const bool settled, is_there(host_.files, run.settled()));
  if (!settled) return {};
  const std::string kept(path_name(run.settled()));
  TRY(remove_others(host_.files, run.top, [&](const std::string& name) { return name == kept; }));
  return host_.files.remove(run.settled());
}

Result<std::vector<std::string>> SlurmPlatform::lay_out(const JobSpec& spec, const SlurmRun& run,
                                                        const std::string& ticket) {
  FileSystem& files = host_.files;
  BatchJob job{spec, options_, run, {}, "", ticket};
  TRY_ASSIGN(const std::string checkpoints, home_of_workspace("checkpoints"));
  job.folders = {run.code(),       run.data(), run.output(), path_join(checkpoints, spec.checkpoint),
                 run.log_folder(), run.home(), run.params()};
  TRY_ASSIGN(const std::vector<std::string> words, render_sbatch(job));
  if (spec.code) {
    TRY_ASSIGN(job.code, shared_.place_code(*spec.code));
  }
  if (spec.data.empty()) {
    TRY(files.make_folder(run.data()));
  } else {
    TRY_ASSIGN(job.folders.data, shared_.place_data(spec.data));
  }
  TRY(files.remove(run.checkpoint()));
  TRY(files.make_link(job.folders.checkpoint, run.checkpoint()));
  TRY(write_file(files, run.params(), params_json(spec.params, job.folders)));
  TRY(write_file(files, run.command(), render_command(job)));
  if (nodes_of(spec) > 1) TRY(write_file(files, run.task(), render_task(job)));
  TRY(write_file(files, run.script(), render_script(job), {.mode = kProgram}));
  return words;
}

Result<JobStatus> SlurmPlatform::poll(const JobHandle& job) {
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  TRY_ASSIGN(const std::string end, text_at(host_.files, run.end()));
  if (std::optional<JobStatus> status = parse_end(end)) return *std::move(status);
  TRY_ASSIGN(const SlurmTraces traces, traces_of(run));
  if (std::optional<JobStatus> status = end_told_by(traces)) return *std::move(status);
  if (!traces.ticket.empty()) return ask_slurm(job, run, traces);
  JobStatus status;
  status.known = false;
  return status;
}

Result<JobStatus> SlurmPlatform::ask_slurm(const JobHandle& job, const SlurmRun& run,
                                           const SlurmTraces& traces) {
  TRY_ASSIGN(std::optional<std::vector<SlurmJob>> jobs, queue_.named(job.key));
  const std::string& number = traces.owner.empty() ? traces.number : traces.owner;
  if (!jobs && !number.empty()) {
    JobStatus status;
    status.status = traces.started_ns != 0 ? RunStatus::kRunning : RunStatus::kQueued;
    status.started_ns = traces.started_ns;
    return status;
  }
  if (!jobs) {
    TRY_ASSIGN(jobs, queue_.named_now(job.key));
  }
  const SlurmJob* known = job_of(traces, *jobs);
  if (known == nullptr && !number.empty()) {
    // It may have been submitted, by whomever, since Slurm was asked.
    TRY_ASSIGN(jobs, queue_.named_now(job.key));
    known = job_of(traces, *jobs);
  }
  if (known == nullptr && !number.empty()) {
    TRY_ASSIGN(jobs, queue_.kept(number));
    known = job_of(traces, *jobs);
  }
  // It may have left its last word since the first look.
  TRY_ASSIGN(const SlurmTraces now, traces_of(run));
  if (std::optional<JobStatus> status = end_told_by(now)) return *std::move(status);
  JobStatus status = status_of(now, known, host_.clock.now_ns());
  // Slurm forgets; one that is lost may yet be told of.
  if (is_over(status.status) && status.status != RunStatus::kLost)
    TRY(write_file(host_.files, run.end(), render_end(status)));
  return status;
}

Result<std::string> SlurmPlatform::read_log(const JobHandle& job, std::int64_t offset, std::size_t limit) {
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  return read_log_file(run.log(), offset, limit);
}

Result<void> SlurmPlatform::cancel(const JobHandle& job) {
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  TRY_ASSIGN(const std::optional<FileLock> lock, hold(job.run));
  TRY_ASSIGN(const std::string end, text_at(host_.files, run.end()));
  if (parse_end(end)) return {};
  TRY_ASSIGN(const bool cancelled, cancel_unstarted(run));
  TRY_ASSIGN(const SlurmTraces traces, traces_of(run));
  if (end_told_by(traces)) return {};
  if (!cancelled) {
    TRY(write_file(host_.files, run.cancel(), ""));
    return end_in_slurm(traces.owner);
  }
  // It waits in vain, and would end as soon as it started: no more than its place is at stake.
  if (traces.ticket.empty()) return {};
  SlurmTraces unstarted = traces;
  unstarted.owner.clear();
  const auto number = find(job.key, unstarted);
  if (number && *number) (void)end_in_slurm(**number);
  return {};
}

// False when a job of it had started. Decided once, by who makes `owner`: a job that starts afterwards ends
// at once.
Result<bool> SlurmPlatform::cancel_unstarted(const SlurmRun& run) {
  TRY(host_.files.make_folder(run.top));
  auto made = host_.files.make_link(kCancelledOwner, run.owner());
  TRY_ASSIGN(const Stat owner, host_.files.look(run.owner()));
  if (!owner.is(FileKind::kLink)) return made ? Result<bool>(false) : fail(std::move(made).error());
  TRY_ASSIGN(const std::string who, host_.files.read_link(run.owner()));
  if (who != kCancelledOwner) return false;
  JobStatus status;
  status.status = RunStatus::kCancelled;
  status.reason = "cancelled";
  status.started_ns = status.ended_ns = host_.clock.now_ns();
  TRY(write_file(host_.files, run.end(), render_end(status), {.durable = true}));
  TRY(host_.files.remove(run.secrets()));
  return true;
}

Result<void> SlurmPlatform::end_in_slurm(const std::string& number) {
  auto told = commands_.run({"scancel", number});
  if (!told) return fail(not_told(std::move(told).error()));
  const bool is_over_by_now = told->errors.find("Invalid job id") != std::string::npos ||
                              told->errors.find("already completing or completed") != std::string::npos;
  if (told->exit_code == 0 || is_over_by_now) return {};
  return fail(
      not_told(user_error(cat("Slurm does not end job ", number, ": ", printable(complaint_of(told->errors))),
                          cat("`scancel ", number, "` does the same"))));
}

Result<std::string> SlurmPlatform::outputs(const JobHandle& job) {
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  return run.output();
}

Result<void> SlurmPlatform::settled(const JobHandle& job, RunStatus end,
                                    const std::vector<std::string>& stored) {
  FileSystem& files = host_.files;
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  TRY(files.make_folder(run.top));
  TRY(write_file(files, run.settled(), cat(name_of(end), "\n")));
  for (const std::string& path : {run.secrets(), run.home()}) TRY(files.remove(path));
  if (end != RunStatus::kSucceeded) return {};
  TRY(files.remove(run.code()));
  // What the run resumed from goes with it: a later attempt at the same, asked for by force, starts afresh.
  TRY_ASSIGN(const Stat link, files.look(run.checkpoint()));
  if (link.is(FileKind::kLink)) {
    TRY_ASSIGN(const std::string folder, files.read_link(run.checkpoint()));
    TRY_ASSIGN(const bool there, is_there(files, folder));
    TRY(files.remove(run.checkpoint()));
    if (there) TRY(files.rename(folder, run.checkpoint()));
  }
  const std::string output = *path_below(run.output(), run.top);
  for (const std::string& path : stored) {
    // Beyond a link that the job left lies what is not ours.
    const std::string from_top = path_join(output, path);
    TRY_ASSIGN(const std::string between, link_between(files, run.top, from_top));
    if (between.empty()) TRY(files.remove(path_join(run.top, from_top)));
  }
  return {};
}

}  // namespace trainmake
