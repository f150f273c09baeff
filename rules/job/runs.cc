#include "rules/job/runs.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/job/left_files.h"
#include "rules/job/outputs.h"
#include "rules/job/process_names.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

constexpr std::size_t kLogPiece = 256U << 10U;
constexpr std::size_t kMostSince = 3;

int failed_in_a_row(const std::vector<Run>& runs) {
  auto run = std::find_if(runs.begin(), runs.end(), [](const Run& each) { return is_over(each.status); });
  int count = 0;
  for (; run != runs.end() && has_failed(*run); ++run) ++count;
  return count;
}

}  // namespace

Run as_told(Run run, const JobStatus& status, std::int64_t now_ns) {
  run.status = status.known ? status.status : RunStatus::kLost;
  run.reason = status.known ? status.reason : cat("platform ", quoted(run.platform), " no longer knows it");
  if (status.known) run.started_ns = status.started_ns;
  run.ended_ns = is_over(run.status) && status.ended_ns == 0 ? now_ns : status.ended_ns;
  run.exit_code = status.exit_code;
  return run;
}

std::string typed_for(Runs& runs, const Run& run, const std::string& shown) {
  const Result<std::vector<Run>> in_flight = runs.in_flight(run.label);
  const bool has_others = in_flight && std::any_of(in_flight->begin(), in_flight->end(),
                                                   [&](const Run& other) { return other.id != run.id; });
  return has_others ? run.id : shown;
}

std::optional<Run> run_to_take_up(const std::vector<Run>& in_flight, const Manifest& manifest) {
  if (in_flight.empty()) return std::nullopt;
  const Fingerprint fingerprint = manifest.fingerprint(), work = work_of_job(manifest);
  const Run* alike = nullptr;
  for (const Run& run : in_flight) {
    if (is_over(run.status) || !run.repeats.empty()) continue;
    if (run.fingerprint == fingerprint) return run;
    if (alike == nullptr && work_of_job(run.manifest) == work) alike = &run;
  }
  return alike == nullptr ? std::nullopt : std::optional(*alike);
}

bool is_intent(const Run& run) { return run.status == RunStatus::kQueued && run.job.empty(); }

Run not_handed_over(Run intent) {
  intent.status = RunStatus::kLost;
  if (intent.reason.empty()) intent.reason = "it was cut short before it was handed over";
  return intent;
}

Run settle(Platform& platform, Clock& clock, Run run, const Patience& patience,
           const std::function<bool()>& is_left) {
  if (is_over(run.status)) return run;
  const auto status = platform.poll(JobHandle::of(run), patience);
  if (!status) {
    run.status = RunStatus::kUnknown;
    run.reason = status.error().message;
    return run;
  }
  // It was there once, unless nobody heard that it was.
  if (status->known || !is_intent(run)) return as_told(std::move(run), *status, clock.now_ns());
  const bool is_lost = !status->may_appear && is_left && is_left();
  return is_lost ? not_handed_over(std::move(run)) : run;
}

bool has_failed(const Run& run) {
  return run.status == RunStatus::kFailed && run.started_ns != 0 && run.reusable;
}

int failed_of_round(const std::vector<Run>& runs, int retries) {
  return failed_in_a_row(runs) % (retries + 1);
}

Result<Run> cancel(Platform& platform, Clock& clock, const Run& run, const CancelOptions& options) {
  TRY(platform.cancel(JobHandle::of(run), options.patience));
  return cancelled(platform, clock, run, options);
}

Result<Run> cancelled(Platform& platform, Clock& clock, const Run& run, const CancelOptions& options) {
  constexpr std::int64_t kUsually_ns = 2'000'000'000;
  const std::int64_t began = clock.steady_ns();
  std::chrono::milliseconds pause{5};
  std::string told, why;
  for (;;) {
    const Run now = settle(platform, clock, run, options.patience);
    if (is_over(now.status)) return now;
    // Of one that is queued the reason is what it waits for, which is no more.
    why = now.status == RunStatus::kQueued ? "" : now.reason;
    if (clock.steady_ns() - began > kUsually_ns && why != told) {
      if (options.patience.say && !why.empty()) options.patience.say(cat("has not ended yet: ", why));
      told = why;
    }
    if (clock.steady_ns() - began > std::chrono::nanoseconds(options.most).count()) break;
    if (clock.wait(pause, options.patience.stop)) return fail(interrupted_error());
    pause = std::min(pause * 2, std::chrono::milliseconds(200));
  }
  return fail(step_error(
      cat("Run ", quoted(run.id), " was asked to end and has not yet", why.empty() ? "" : ": ", why),
      cat("`trainmake show ", run.id, "` tells when it has")));
}

Metrics metrics_told(Platform& platform, FileSystem& files, const Space& space, const Run& run,
                     Metrics metrics, const std::stop_token& stop) {
  LogLines lines;
  const LogLines::Sink take = [&](std::string_view line) { (void)metrics.line(line); };
  for (std::int64_t offset = 0;;) {
    const auto bytes = next_of_log(platform, run, offset, stop);
    if (!bytes || bytes->empty()) break;
    lines.add(*bytes, take);
  }
  lines.finish(take);
  const std::vector<std::string> its_files = metrics.files();
  if (!its_files.empty()) {
    if (const auto left = left_by(platform, files, space, run, its_files, stop)) metrics.read_files(*left);
  }
  return metrics;
}

Result<std::string> next_of_log(Platform& platform, const Run& run, std::int64_t& offset,
                                const std::stop_token& stop) {
  TRY_ASSIGN(std::string bytes, platform.read_log(JobHandle::of(run), {offset, kLogPiece, stop}));
  offset += static_cast<std::int64_t>(bytes.size());
  return bytes;
}

LastLines last_lines_of(Platform& platform, const Run& run, const Redactor& redactor,
                        const std::stop_token& stop) {
  // Those that were ended because one failed may have printed much since.
  constexpr std::size_t kTail = 8U << 10U, kTailOfMany = 1U << 20U;
  const std::string process = process_named_by(run.reason);
  LastLines last, its_own;
  std::vector<std::string> since;  // of no process
  LogLines lines;
  const LogLines::Sink keep = [&](std::string_view line) {
    last.add(redactor.redact(line));
    if (process.empty()) return;
    if (line.starts_with(prefix_of(process))) {
      its_own.add(redactor.redact(line));
      since.clear();
    } else if (is_of_trainmake(line) || (!is_of_process(line) && since.size() < kMostSince)) {
      since.push_back(redactor.redact(line));
    }
  };
  if (const auto tail = end_of_log(platform, run, process.empty() ? kTail : kTailOfMany, stop)) {
    lines.add(*tail, keep);
    lines.finish(keep);
  }
  if (its_own.all().empty()) return last;
  for (std::string& line : since) its_own.add(std::move(line));
  return its_own;
}

Result<std::string> end_of_log(Platform& platform, const Run& run, std::size_t limit,
                               const std::stop_token& stop) {
  return platform.read_log(JobHandle::of(run), {-static_cast<std::int64_t>(limit), limit, stop});
}

}  // namespace trainmake
