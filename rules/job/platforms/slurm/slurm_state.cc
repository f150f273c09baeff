#include "rules/job/platforms/slurm/slurm_state.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/job/platforms/slurm/slurm_run.h"

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
  if (!exit.process.empty()) status.reason = cat("process ", quoted(exit.process), ": ");
  status.reason +=
      signal > 0 && signal <= kSignals
          ? cat("killed by signal ", signal, signal == kOutOfMemorySignal ? " (out of memory?)" : "")
          : cat("exit code ", exit.exit_code);
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

}  // namespace

std::optional<SlurmExit> parse_slurm_exit(std::string_view text) {
  const nlohmann::json json = parse_json<nlohmann::json>(text);
  if (!json.is_object() || !json.contains("exit_code") || !json["exit_code"].is_number_integer())
    return std::nullopt;
  SlurmExit exit;
  exit.exit_code = json["exit_code"].get<int>();
  exit.process = text_at(json, "process");
  exit.asked = json.contains("asked") && json["asked"] == true;
  for (const auto& [name, into] :
       {std::pair("started_ns", &exit.started_ns), std::pair("ended_ns", &exit.ended_ns)}) {
    if (json.contains(name) && json[name].is_number_integer()) *into = json[name].get<std::int64_t>();
  }
  return exit;
}

std::optional<SlurmExit> parse_slurm_ended(std::string_view text) {
  const std::vector<std::string> words = split(text, ' ');
  if (words.size() < 4) return std::nullopt;
  const auto code = whole_number<int>(words[0]);
  const auto started = whole_number<std::int64_t>(words[2]), ended = whole_number<std::int64_t>(words[3]);
  if (!code) return std::nullopt;
  SlurmExit exit{*code, words[1] == "true", started.value_or(0), ended.value_or(0)};
  exit.process = trim(join(std::vector<std::string>(words.begin() + 4, words.end()), " "));
  return exit;
}

std::string render_end(const JobStatus& status) {
  nlohmann::ordered_json json = {{"status", name_of(status.status)},
                                 {"started_ns", status.started_ns},
                                 {"ended_ns", status.ended_ns},
                                 {"exit_code", nullptr},
                                 {"reason", printable(status.reason)}};
  if (status.exit_code) json["exit_code"] = *status.exit_code;
  return json.dump() + "\n";
}

std::optional<JobStatus> parse_end(std::string_view text) {
  const nlohmann::json json = parse_json<nlohmann::json>(text);
  const std::optional<RunStatus> end = parse_status(text_at(json, "status"));
  if (!end || !is_over(*end)) return std::nullopt;
  JobStatus status;
  status.status = *end;
  status.reason = text_at(json, "reason");
  if (const std::optional<SlurmExit> exit = parse_slurm_exit(text)) status.exit_code = exit->exit_code;
  for (const auto& [name, into] :
       {std::pair("started_ns", &status.started_ns), std::pair("ended_ns", &status.ended_ns)}) {
    if (json.contains(name) && json[name].is_number_integer()) *into = json[name].get<std::int64_t>();
  }
  return status;
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

OwnJob own_job_of(const SlurmTraces& traces, const std::string& key) {
  const bool has_started = !traces.owner.empty() && traces.owner != kCancelledOwner;
  OwnJob own = OwnJob::of(traces.ticket, key, has_started ? traces.owner : traces.number);
  own.has_started = has_started;
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
