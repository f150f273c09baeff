#include "rules/job/platforms/slurm/slurm_state.h"

#include <algorithm>
#include <array>

#include "engine/base/text.h"
#include "rules/job/platforms/slurm/slurm_run.h"
#include "rules/job/process_names.h"

namespace trainmake {
namespace {

constexpr std::int64_t kNsInSecond = 1'000'000'000;
// Until then what a job wrote may not be seen here, though Slurm says that it has ended.
constexpr std::int64_t kLatestWordNs = 60 * kNsInSecond;
constexpr int kSignals = 64;
constexpr int kOutOfMemorySignal = 9;

enum class Kind : std::uint8_t { kWaits, kRuns, kEnded };

struct State {
  std::string_view name;
  Kind kind;
  RunStatus end;       // when it ended
  const char* reason;  // of an end that is no success, or of waiting
};

constexpr std::array kStates = {
    State{"PENDING", Kind::kWaits, RunStatus::kQueued, ""},
    State{"CONFIGURING", Kind::kWaits, RunStatus::kQueued, "its nodes are made ready"},
    State{"REQUEUED", Kind::kWaits, RunStatus::kQueued, "queued again"},
    State{"REQUEUE_FED", Kind::kWaits, RunStatus::kQueued, "queued again"},
    State{"REQUEUE_HOLD", Kind::kWaits, RunStatus::kQueued,
          "queued again, and held: `scontrol release` lets it go on"},
    State{"SPECIAL_EXIT", Kind::kWaits, RunStatus::kQueued,
          "queued again, and held: `scontrol release` lets it go on"},
    State{"RESV_DEL_HOLD", Kind::kWaits, RunStatus::kQueued, "held: its reservation was deleted"},
    State{"RUNNING", Kind::kRuns, RunStatus::kRunning, ""},
    State{"COMPLETING", Kind::kRuns, RunStatus::kRunning, ""},
    State{"RESIZING", Kind::kRuns, RunStatus::kRunning, ""},
    State{"SIGNALING", Kind::kRuns, RunStatus::kRunning, ""},
    State{"STAGE_OUT", Kind::kRuns, RunStatus::kRunning, ""},
    State{"STOPPED", Kind::kRuns, RunStatus::kRunning, "stopped"},
    State{"SUSPENDED", Kind::kRuns, RunStatus::kRunning, "suspended"},
    State{"COMPLETED", Kind::kEnded, RunStatus::kSucceeded, ""},
    State{"FAILED", Kind::kEnded, RunStatus::kFailed, "Slurm says that it failed"},
    State{"CANCELLED", Kind::kEnded, RunStatus::kCancelled, "cancelled"},
    State{"TIMEOUT", Kind::kEnded, RunStatus::kFailed, "timed out: it reached its time limit in Slurm"},
    State{"DEADLINE", Kind::kEnded, RunStatus::kFailed,
          "it could not have ended before its deadline in Slurm"},
    State{"OUT_OF_MEMORY", Kind::kEnded, RunStatus::kFailed, "out of memory"},
    // Nothing of these says anything of the job itself: another try may do better.
    State{"NODE_FAIL", Kind::kEnded, RunStatus::kLost, "a node of it failed"},
    State{"BOOT_FAIL", Kind::kEnded, RunStatus::kLost, "a node of it did not start"},
    State{"PREEMPTED", Kind::kEnded, RunStatus::kLost,
          "preempted by a job that matters more, and not queued again"},
    State{"REVOKED", Kind::kEnded, RunStatus::kLost, "another cluster took it"},
};

const State* state_named(std::string_view name) {
  const auto* state =
      std::find_if(kStates.begin(), kStates.end(), [&](const State& one) { return one.name == name; });
  return state == kStates.end() ? nullptr : state;
}

// "NonZeroExitCode" and its like; "None" says nothing.
std::string with_reason(std::string text, const SlurmJob& job) {
  if (job.reason.empty() || job.reason == "None") return text;
  return text.empty() ? job.reason : cat(text, " (", job.reason, ")");
}

JobStatus status_of(const SlurmExit& exit) {
  JobStatus status;
  status.started_ns = exit.started_ns;
  status.ended_ns = exit.ended_ns;
  status.exit_code = exit.exit_code;
  status.status = exit.exit_code == 0 ? RunStatus::kSucceeded : RunStatus::kFailed;
  if (exit.exit_code == 0) return status;
  const int signal = exit.exit_code - 128;
  status.reason = reason_of(exit.process, signal > 0 && signal <= kSignals
                                              ? cat("killed by signal ", signal,
                                                    signal == kOutOfMemorySignal ? " (out of memory?)" : "")
                                              : cat("exit code ", exit.exit_code));
  return status;
}

JobStatus lost(const SlurmTraces& traces, std::string reason) {
  JobStatus status;
  status.status = RunStatus::kLost;
  status.started_ns = traces.started_ns;
  status.reason = std::move(reason);
  return status;
}

JobStatus forgotten(const SlurmTraces& traces) {
  if (traces.exit) {
    JobStatus status = status_of(*traces.exit);
    if (!traces.exit->asked) return status;
    // Slurm asked it to end, and does not know why any more.
    status.status = traces.cancel_asked ? RunStatus::kCancelled : RunStatus::kFailed;
    status.reason = traces.cancel_asked ? "cancelled" : "Slurm ended it, and does not know any more why";
    return status;
  }
  if (traces.cancel_asked) {
    JobStatus status = lost(traces, "cancelled");
    status.status = RunStatus::kCancelled;
    return status;
  }
  if (!traces.owner.empty())
    return lost(traces, cat("Slurm no longer knows job ", traces.owner, ", which left no word of its end"));
  if (!traces.number.empty()) {
    // Of an array, one that is cancelled while it waits is forgotten at once.
    return lost(traces, cat("Slurm no longer knows job ", traces.number, ", which never started",
                            traces.ticket.element.empty()
                                ? ""
                                : ": it was cancelled in Slurm while it waited, or no node could begin it"));
  }
  JobStatus status;
  status.known = false;
  return status;
}

JobStatus as_ended(const SlurmTraces& traces, const SlurmJob& job, const State& state, std::int64_t now_ns) {
  JobStatus status;
  status.started_ns = traces.started_ns != 0 ? traces.started_ns : job.started_s * kNsInSecond;
  status.ended_ns = job.ended_s * kNsInSecond;
  status.status = state.end;
  status.reason = state.end == RunStatus::kCancelled ? state.reason : with_reason(state.reason, job);
  if (traces.exit) {
    status.ended_ns = traces.exit->ended_ns;
    status.exit_code = traces.exit->exit_code;
    if (job.state == "FAILED" || job.state == "COMPLETED") return status_of(*traces.exit);
  } else if (job.state == "COMPLETED" || (job.state == "FAILED" && !traces.owner.empty())) {
    // What it left may need a while to be seen here.
    const bool is_late = now_ns - status.ended_ns > kLatestWordNs;
    if (is_late && job.state == "COMPLETED")
      return lost(traces, cat("job ", job.number, " ended and left no word of it in `shared_dir`"));
    if (!is_late) {
      status.status = RunStatus::kRunning;
      status.ended_ns = 0;
      status.reason.clear();
    }
  } else if (job.state == "FAILED") {
    status.reason += cat("; it began nothing: do the nodes see `shared_dir` where it is here?");
  }
  status.ended_ns = status.ended_ns == 0 ? 0 : std::max(status.ended_ns, status.started_ns);
  return status;
}

JobStatus not_handed_over() {
  JobStatus status;
  status.known = false;
  return status;
}

JobStatus going_on(const SlurmTraces& traces) {
  JobStatus status;
  status.status = traces.started_ns != 0 ? RunStatus::kRunning : RunStatus::kQueued;
  status.started_ns = traces.started_ns;
  return status;
}

// The rows, from the top: the first that applies.
SlurmVerdict verdict_without_output(const SlurmFacts& facts) {
  using What = SlurmVerdict::What;
  const SlurmTraces& traces = facts.traces;
  if (std::optional<JobStatus> end = parse_end(traces.end)) return {What::kOver, *std::move(end)};
  if (std::optional<JobStatus> end = end_told_by(traces)) return {What::kOver, *std::move(end)};
  if (traces.ticket.comment.empty()) return {What::kNotHandedOver, not_handed_over()};
  if (facts.slurm == SlurmFacts::Slurm::kNotAsked) return {What::kAskSlurm};
  if (facts.slurm == SlurmFacts::Slurm::kNothingSaid) return {What::kGoesOn, going_on(traces)};
  JobStatus status = status_of(traces, facts.job ? &*facts.job : nullptr, facts.now_ns);
  if (!status.known) return {What::kNotHandedOver, std::move(status)};
  if (!is_over(status.status)) return {What::kGoesOn, std::move(status)};
  // One that is lost may yet be told of.
  if (status.status == RunStatus::kLost) return {What::kOver, std::move(status)};
  // A slurmctld that fell may have forgotten that it is over, and start it.
  if (!traces.owner.empty() || facts.barred == SlurmFacts::Barred::kInTime)
    return {What::kOver, std::move(status), true};
  if (facts.barred == SlurmFacts::Barred::kNotTried) return {What::kBarFirst, std::move(status)};
  status = {};
  status.status = RunStatus::kRunning;
  return {What::kGoesOn, std::move(status)};
}

}  // namespace

SlurmVerdict verdict_of(const SlurmFacts& facts) {
  SlurmVerdict verdict = verdict_without_output(facts);
  if (verdict.what != SlurmVerdict::What::kOver || verdict.status.status != RunStatus::kSucceeded ||
      facts.has_output)
    return verdict;
  verdict.status.status = RunStatus::kLost;
  verdict.status.reason = "what it left was removed from `shared_dir`";
  verdict.is_to_keep = false;
  return verdict;
}

StillToDo still_to_do(const SlurmFacts& facts, bool is_over_in_slurm) {
  const SlurmTraces& traces = facts.traces;
  if (end_told_by(traces)) return StillToDo::kNothing;
  if (facts.barred != SlurmFacts::Barred::kInTime) return StillToDo::kEndJob;
  return traces.ticket.comment.empty() || is_over_in_slurm ? StillToDo::kNothing : StillToDo::kFreeItsPlace;
}

Absence absence_of(const OwnJob& own, const std::optional<std::vector<SlurmJob>>& shown,
                   bool is_asked_again) {
  if (!shown) return is_asked_again ? Absence::kGone : Absence::kNotSure;
  const bool is_there =
      std::any_of(shown->begin(), shown->end(), [&](const SlurmJob& job) { return own.is(job); });
  return is_there ? Absence::kContradicted : Absence::kGone;
}

bool is_told_over(const OwnJob& own, const std::vector<SlurmJob>& jobs) {
  return std::any_of(jobs.begin(), jobs.end(), [&](const SlurmJob& job) {
    return job.number == own.number && own.is(job) && !is_active(job);
  });
}

GoingOn going_on_of(const OwnJob& own, const std::vector<SlurmJob>& jobs) {
  GoingOn found;
  for (const SlurmJob& job : jobs) {
    if (!own.is(job)) continue;
    found.is_known = true;
    if (is_active(job)) found.numbers.push_back(job.number);
  }
  return found;
}

bool is_active(const SlurmJob& job) {
  const State* state = state_named(job.state);
  return state == nullptr || state->kind == Kind::kWaits || state->kind == Kind::kRuns;
}

std::optional<JobStatus> end_told_by(const SlurmTraces& traces) {
  if (!traces.exit) return std::nullopt;
  if (traces.timed_out_s > 0) {
    JobStatus status = status_of(*traces.exit);
    status.status = RunStatus::kFailed;
    status.reason = cat("timed out after ", human_duration(traces.timed_out_s * 1000));
    return status;
  }
  // Why something ended it, Slurm knows.
  const bool by_itself = !traces.exit->asked && traces.exit->exit_code <= 128;
  return by_itself ? std::optional(status_of(*traces.exit)) : std::nullopt;
}

OwnJob own_job_of(const SlurmTraces& traces, const std::string& key, const std::string& folder) {
  const bool has_started = !traces.owner.empty() && traces.owner != kCancelledOwner;
  OwnJob own = OwnJob::of(traces.ticket, key, has_started ? traces.owner : traces.number);
  own.has_started = has_started;
  own.folder = folder;
  return own;
}

const SlurmJob* job_of(const OwnJob& own, const std::vector<SlurmJob>& jobs) {
  const SlurmJob* found = nullptr;
  for (const SlurmJob& job : jobs) {
    if (own.is(job) && (found == nullptr || !is_active(*found))) found = &job;
  }
  return found;
}

JobStatus status_of(const SlurmTraces& traces, const SlurmJob* job, std::int64_t now_ns) {
  if (job == nullptr) return forgotten(traces);
  const State* state = state_named(job->state);
  JobStatus status;
  if (state == nullptr) {
    status.status = RunStatus::kUnknown;
    status.reason = cat("Slurm says ", quoted(job->state));
    return status;
  }
  switch (state->kind) {
    case Kind::kWaits:
      // It leaves at once should it start again, as after a fall of slurmctld.
      if (traces.exit && !traces.exit->asked) return status_of(*traces.exit);
      status.status = RunStatus::kQueued;
      status.reason = with_reason(state->reason, *job);
      if (job->restarts > 0)
        status.reason = cat("queued again by Slurm", status.reason.empty() ? "" : ": ", status.reason);
      return status;
    case Kind::kRuns:
      status.status = RunStatus::kRunning;
      status.started_ns = traces.started_ns != 0 ? traces.started_ns : job->started_s * kNsInSecond;
      status.reason = state->reason;
      return status;
    case Kind::kEnded:
      break;
  }
  return as_ended(traces, *job, *state, now_ns);
}

}  // namespace trainmake
