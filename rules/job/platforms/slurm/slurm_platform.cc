#include "rules/job/platforms/slurm/slurm_platform.h"

#include <algorithm>

#include "engine/base/log_file.h"
#include "engine/base/program_path.h"
#include "engine/base/text.h"
#include "engine/container/unpacked_layers.h"
#include "rules/job/container_layout.h"
#include "rules/job/note_files.h"
#include "rules/job/platforms/slurm/batch_script.h"
#include "rules/job/platforms/slurm/end_jobs.h"
#include "rules/job/platforms/slurm/run_traces.h"
#include "rules/job/platforms/slurm/slurm_state.h"
#include "rules/job/sizes.h"

namespace trainmake {
namespace {

// Nodes have Pythons of their own: a process is read by the one that its main names.
Contract contract_with(const SlurmOptions& options, Contract contract) {
  if (options.container) return contract_in_container(std::move(contract), options.network);
  contract.python.clear();
  return contract;
}

SlurmPatience patience_of(const Patience& patience) {
  return {.stop = patience.stop, .on_silence = patience.say};
}

Result<NodeNeeds> node_needs_of(const SlurmOptions& options, const Table& resources) {
  NodeNeeds needs{options.gres, count_of(resources, "gpus", 0), count_of(resources, "cpus", 0)};
  TRY_ASSIGN(const std::uint64_t memory_mib, mebibytes_said(resources, "memory"));
  needs.memory_mib = static_cast<std::int64_t>(memory_mib);
  TRY_ASSIGN(const std::uint64_t disk_mib, mebibytes_said(resources, "disk"));
  if (extra_of(options, "tmp") == nullptr) needs.disk_mib = static_cast<std::int64_t>(disk_mib);
  TRY_ASSIGN(needs.constraint, constraint_of(options, resources));
  if (const std::string* gres = extra_of(options, "gres")) needs.more_gres = *gres;
  return needs;
}

}  // namespace

SlurmPlatform::SlurmPlatform(Host& host, const Workspace& workspace, Blobs& blobs, SlurmOptions options,
                             Contract contract, std::string program)
    : Platform({.contract = contract_with(options, std::move(contract)),
                .runs_images = options.container,
                .layers = options.container ? UnpackedLayers::folder_below(options.shared_dir) : "",
                .takes_many = true}),
      host_(host),
      options_(std::move(options)),
      shared_(host, workspace, blobs, options_.shared_dir),
      commands_(host),
      queue_(commands_, host.clock),
      partitions_(commands_),
      traces_(host.files, host.clock),
      locks_(path_join(workspace.cache, "locks/slurm")),
      hand_over_(host, options_, traits.contract, shared_, commands_, queue_, partitions_, locks_,
                 std::move(program)) {}

// Its commands would look for it a minute long each.
Result<void> SlurmPlatform::check_configuration() {
  const std::optional<std::string> path = host_.environment.get("SLURM_CONF");
  if (!path || !path->starts_with('/')) return {};
  TRY_ASSIGN(const Stat stat, host_.files.look(*path, Links::kFollow));
  if (stat.exists()) return {};
  return fail(user_error(cat("There is no file ", quoted(*path), ", which `SLURM_CONF` names"),
                         "`scontrol ping` tells when Slurm is found"));
}

// Or it would be missed when all that the job needs is made.
Result<void> SlurmPlatform::check_program() {
  constexpr const char* kProgram = "sbatch";
  const std::optional<std::string> path = host_.environment.get("PATH");
  if (!path || find_in_path(host_.files, *path, kProgram)) return {};
  return fail(user_error(cat(quoted(kProgram), ", which hands jobs to Slurm, is not in PATH"),
                         "Install Slurm's commands, or run this on a machine that has them"));
}

Result<SlurmRun> SlurmPlatform::folder_of(const std::string& run) {
  TRY_ASSIGN(std::string folder, shared_.run_folder(run));
  return SlurmRun{std::move(folder)};
}

std::vector<Result<std::string>> SlurmPlatform::submit_all(const std::vector<Submission>& jobs) {
  return hand_over_.submit(jobs);
}

Result<JobStatus> SlurmPlatform::look_at(const JobHandle& job, const Patience& given) {
  const SlurmPatience patience = patience_of(given);
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  TRY_ASSIGN(const SlurmVerdict verdict, verdict_on(job, run, patience));
  const bool is_missed =
      verdict.what == SlurmVerdict::What::kNotHandedOver || verdict.status.status == RunStatus::kLost;
  if (is_missed) TRY(check_is_gone(job, run, patience));
  return verdict.status;
}

Result<SlurmVerdict> SlurmPlatform::verdict_on(const JobHandle& job, const SlurmRun& run,
                                               const SlurmPatience& patience) {
  using What = SlurmVerdict::What;
  SlurmFacts facts;
  TRY_ASSIGN(facts.traces, traces_.of(run));
  SlurmVerdict verdict = verdict_of(facts);
  if (verdict.what == What::kAskSlurm) {
    TRY(ask_slurm(job, run, facts, patience));
    verdict = verdict_of(facts);
  }
  if (verdict.what == What::kBarFirst) {
    TRY_ASSIGN(const bool never, never_starts(run));
    facts.barred = never ? SlurmFacts::Barred::kInTime : SlurmFacts::Barred::kTooLate;
    verdict = verdict_of(facts);
  }
  if (verdict.is_to_keep) TRY(write_file(host_.files, run.end(), render_end(verdict.status)));
  if (verdict.status.status != RunStatus::kSucceeded) return verdict;
  TRY_ASSIGN(facts.has_output, is_there(host_.files, run.output()));
  return verdict_of(facts);
}

// What is not found is gone only where all around it is there and Slurm has no job of it, either.
Result<void> SlurmPlatform::check_is_gone(const JobHandle& job, const SlurmRun& run,
                                          const SlurmPatience& patience) {
  TRY_ASSIGN(const std::optional<std::string> away, shared_.other_away());
  TRY_ASSIGN(const bool there, is_there(host_.files, run.top));
  if (away && !there && !job.job.empty()) {
    return fail(not_told(user_error(
        cat("Run ", quoted(job.run), " is not in `shared_dir`, and may be in ", quoted(*away),
            ", which this workspace used, too, and which is not there"),
        cat("Mount it; if all of that is gone for good, `", shared_.forget_other(*away), "` says so"))));
  }
  TRY(shared_.check_home(job.job.empty() ? SharedFiles::Made::kIfRemembered : SharedFiles::Made::kSurely));
  TRY_ASSIGN(const std::optional<SlurmJob> going_on, going_on_without_folder(job, run, patience));
  if (!going_on) return {};
  return fail(not_told(user_error(
      cat("Slurm has job ", going_on->number, ", whose folder ", quoted(run.top), " is not there"),
      cat("See that this machine and the nodes have the same `shared_dir`, or end it: `trainmake cancel ",
          job.run, "`"))));
}

Result<std::optional<SlurmJob>> SlurmPlatform::going_on_without_folder(const JobHandle& job,
                                                                       const SlurmRun& run,
                                                                       const SlurmPatience& patience) {
  TRY_ASSIGN(const bool there, is_there(host_.files, run.top));
  if (there) return std::optional<SlurmJob>();
  TRY_ASSIGN(const std::optional<std::string> away, shared_.other_away());
  if (job.job.empty() && !away) return std::optional<SlurmJob>();
  TRY_ASSIGN(std::optional<SlurmJob> found, queue_.going_on(job.key, job.job, patience));
  if (!found || found->element().empty()) return found;
  // An array has a name that says nothing of its runs: what led to each does.
  TRY_ASSIGN(const std::string arrays, shared_.home("arrays"));
  const auto led_to = host_.files.read_link(path_join(path_join(arrays, found->name), found->element()));
  return led_to && *led_to == run.top ? std::move(found) : std::optional<SlurmJob>();
}

// By the clocks of two machines, which may differ by as much.
Result<bool> SlurmPlatform::was_submitted_lately(const SlurmRun& run) {
  constexpr std::int64_t kLately_ns = 60'000'000'000;
  TRY_ASSIGN(const Stat number, host_.files.look(run.number()));
  TRY_ASSIGN(const Stat owner, host_.files.look(run.owner()));
  return std::max(number.mtime_ns, owner.mtime_ns) >= host_.clock.now_ns() - kLately_ns;
}

Result<std::optional<SlurmPlatform::Known>> SlurmPlatform::look_in_slurm(const SlurmRun& run,
                                                                         const SlurmTraces& traces,
                                                                         const OwnJob& own,
                                                                         const SlurmPatience& patience) {
  const bool ends = traces.exit || traces.cancel_asked;
  const auto haste = ends ? SlurmQueue::Haste::kSoon : SlurmQueue::Haste::kNone;
  TRY_ASSIGN(std::optional<std::vector<SlurmJob>> jobs, queue_.of({own.name, own.element}, haste, patience));
  const bool has_number = !own.number.empty();
  if (!jobs && has_number) return std::optional<Known>();
  if (!jobs) {
    TRY_ASSIGN(jobs, queue_.named_now({own.name}, patience));
  }
  TRY(queue_.see_folders(own, *jobs, patience));
  const auto found = [&]() -> std::optional<Known> {
    const SlurmJob* job = job_of(own, *jobs);
    return job == nullptr ? std::optional<Known>() : Known{*job};
  };
  if (std::optional<Known> known = found(); known || !has_number) return known ? known : Known{};
  // It may have been submitted, by whomever, since Slurm was asked.
  TRY_ASSIGN(const bool is_fresh, was_submitted_lately(run));
  if (is_fresh) {
    TRY_ASSIGN(jobs, queue_.named_now({own.name}, patience));
    if (std::optional<Known> known = found()) return known;
  }
  TRY_ASSIGN(jobs, queue_.kept(own, traces.started_ns, patience));
  if (std::optional<Known> known = found()) return known;
  TRY_ASSIGN(const bool gone, queue_.is_gone(own, patience));
  return gone ? std::optional(Known{}) : std::nullopt;
}

Result<void> SlurmPlatform::ask_slurm(const JobHandle& job, const SlurmRun& run, SlurmFacts& facts,
                                      const SlurmPatience& patience) {
  TRY_ASSIGN(std::optional<Known> known,
             look_in_slurm(run, facts.traces, own_job_of(facts.traces, job.key, run.top), patience));
  facts.slurm = known ? SlurmFacts::Slurm::kAnswered : SlurmFacts::Slurm::kNothingSaid;
  if (!known) return {};
  facts.job = std::move(known->job);
  // It may have left its last word since the first look.
  TRY_ASSIGN(facts.traces, traces_of(host_.files, run));
  facts.now_ns = host_.clock.now_ns();
  return {};
}

Result<std::string> SlurmPlatform::read_log(const JobHandle& job, const LogPiece& piece) {
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  return read_log_file(run.log(), piece.offset, piece.limit);
}

struct SlurmPlatform::Cancelling {
  std::optional<OwnJob> job = {};  // that Slurm is to end
  bool waits_in_vain = false;      // it would end as soon as it started: no more than its place is at stake
};

std::vector<Result<void>> SlurmPlatform::cancel_all(const std::vector<JobHandle>& jobs,
                                                    const Patience& given) {
  const SlurmPatience patience = patience_of(given);
  std::vector<Result<Cancelling>> begun;
  std::vector<OwnJob> to_end;
  for (const JobHandle& job : jobs) {
    begun.push_back(begin_to_cancel(job, patience));
    if (begun.back() && begun.back()->job) to_end.push_back(*begun.back()->job);
  }
  std::vector<Result<void>> ended = end_jobs(queue_, commands_, to_end, patience);
  std::vector<Result<void>> answers;
  auto answer = ended.begin();
  for (const Result<Cancelling>& one : begun) {
    if (!one) {
      answers.emplace_back(fail(one.error()));
    } else if (!one->job) {
      answers.emplace_back();
    } else {
      answers.push_back(one->waits_in_vain ? Result<void>() : std::move(*answer));
      ++answer;
    }
  }
  return answers;
}

Result<SlurmPlatform::Cancelling> SlurmPlatform::begin_to_cancel(const JobHandle& job,
                                                                 const SlurmPatience& patience) {
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  if (job.job.empty())
    TRY(shared_.make_home());
  else
    TRY(shared_.check_home(SharedFiles::Made::kSurely));
  TRY_ASSIGN(const FileLock lock, locks_.wait(job.run, host_.clock, patience.stop));
  TRY_ASSIGN(const std::optional<SlurmJob> homeless, going_on_without_folder(job, run, patience));
  if (homeless) {  // while its folder is not there: once it is made, nothing tells of it any more
    const OwnJob own{homeless->name, "", std::string(homeless->element()), homeless->number, true};
    TRY(end_jobs(queue_, commands_, {own}, patience).front());
  }
  TRY_ASSIGN(const std::string end, text_at(host_.files, run.end()));
  if (parse_end(end)) return Cancelling{};
  SlurmFacts facts;
  TRY_ASSIGN(const bool cancelled, cancel_unstarted(run));
  facts.barred = cancelled ? SlurmFacts::Barred::kInTime : SlurmFacts::Barred::kTooLate;
  TRY_ASSIGN(facts.traces, traces_of(host_.files, run));
  OwnJob own = own_job_of(facts.traces, job.key, run.top);
  const StillToDo to_do = still_to_do(facts, queue_.is_known_over(own));
  if (to_do == StillToDo::kNothing) return Cancelling{};
  if (to_do == StillToDo::kEndJob) TRY(write_file(host_.files, run.cancel(), ""));
  return Cancelling{std::move(own), to_do == StillToDo::kFreeItsPlace};
}

// From now on; false when it has started. Decided once, by who makes `owner`: a job that starts afterwards
// ends at once.
Result<bool> SlurmPlatform::never_starts(const SlurmRun& run) {
  auto made = host_.files.make_link(kCancelledOwner, run.owner());
  TRY_ASSIGN(const Stat owner, host_.files.look(run.owner()));
  if (!owner.is(FileKind::kLink)) return made ? Result<bool>(false) : fail(std::move(made).error());
  TRY_ASSIGN(const std::string who, host_.files.read_link(run.owner()));
  return who == kCancelledOwner;
}

// False when a job of it had started.
Result<bool> SlurmPlatform::cancel_unstarted(const SlurmRun& run) {
  TRY(host_.files.make_folder(run.top));
  TRY_ASSIGN(const bool never, never_starts(run));
  if (!never) return false;
  JobStatus status;
  status.status = RunStatus::kCancelled;
  status.reason = "cancelled";
  status.started_ns = status.ended_ns = host_.clock.now_ns();
  TRY(write_file(host_.files, run.end(), render_end(status), {.durable = true}));
  TRY(host_.files.remove(run.secrets()));
  return true;
}

// A job that was killed could not.
Result<void> SlurmPlatform::give_ports_back(const SlurmRun& run) {
  TRY_ASSIGN(const std::string addresses, text_at(host_.files, run.ports()));
  if (addresses.empty()) return {};
  TRY_ASSIGN(const std::string owner, host_.files.read_link(run.owner()));
  for (const std::string& address : split(addresses, '\n')) {
    const std::string link = path_join(ports_folder(options_.shared_dir), address);
    const auto holder = host_.files.read_link(link);
    if (holder && *holder == owner) TRY(host_.files.remove(link));
  }
  return host_.files.remove(run.ports());
}

Result<std::string> SlurmPlatform::left(const JobHandle& job, const LeftRequest& wanted) {
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  if (wanted.what == Left::kCheckpoint) {
    TRY_ASSIGN(const Stat stat, host_.files.look(run.checkpoint()));
    return stat.exists() ? run.checkpoint() : own_checkpoint_folder(run);
  }
  if (wanted.what == Left::kCheckpointSeen) {
    std::string seen = checkpoint_seen_folder(std::string(path_folder(path_folder(path_folder(run.top)))));
    TRY_ASSIGN(const bool has_seen, is_there(host_.files, run.seen()));
    TRY_ASSIGN(const bool is_made, is_there(host_.files, seen));
    return has_seen && is_made ? std::move(seen) : std::string();
  }
  return wanted.what == Left::kLogs ? run.log_folder() : run.output();
}

Result<void> SlurmPlatform::settled(const JobHandle& job, RunStatus end,
                                    const std::vector<std::string>& stored) {
  (void)stored;  // a copy of this memory may want it, too; gc removes it
  FileSystem& files = host_.files;
  TRY_ASSIGN(const SlurmRun run, folder_of(job.run));
  TRY(files.make_folder(run.top));
  TRY(write_file(files, run.settled(), cat(name_of(end), "\n")));
  TRY(give_ports_back(run));
  for (const std::string& path : {run.secrets(), run.home(), run.places()}) TRY(files.remove(path));
  if (end != RunStatus::kSucceeded) return {};
  TRY(files.remove(run.code()));
  TRY_ASSIGN(const Stat link, files.look(run.checkpoint()));
  if (link.is(FileKind::kLink)) {
    TRY_ASSIGN(const std::string folder, files.read_link(run.checkpoint()));
    TRY_ASSIGN(const bool there, is_there(files, folder));
    TRY(files.remove(run.checkpoint()));
    if (there) TRY(files.rename(folder, run.checkpoint()));
  }
  return {};
}

Result<void> SlurmPlatform::admits(const Outlook& job, Asking asking) {
  TRY(check_configuration());
  TRY(shared_.check_there());
  if (asking == Asking::kNobody) return {};
  TRY(check_program());
  TRY_ASSIGN(NodeNeeds of_each, node_needs_of(options_, job.resources));
  return check_limits(partitions_.all(), {.partition = options_.partition,
                                          .nodes = count_of(job.resources, "nodes", 1),
                                          .timeout_s = job.timeout_s,
                                          .of_each = std::move(of_each),
                                          .has_qos = !options_.qos.empty()});
}

}  // namespace trainmake
