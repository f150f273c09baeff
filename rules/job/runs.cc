#include "rules/job/runs.h"

#include <algorithm>

#include "engine/base/log_lines.h"
#include "engine/base/text.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

constexpr std::size_t kLogPiece = 256U << 10U;

}  // namespace

Run as_told(Run run, const JobStatus& status, std::int64_t now_ns) {
  run.status = status.known ? status.status : RunStatus::kLost;
  run.reason = status.known ? status.reason : cat("platform ", quoted(run.platform), " no longer knows it");
  if (status.known) run.started_ns = status.started_ns;
  run.ended_ns = is_over(run.status) && status.ended_ns == 0 ? now_ns : status.ended_ns;
  run.exit_code = status.exit_code;
  return run;
}

Run settle(Platform& platform, Clock& clock, Run run) {
  if (is_over(run.status)) return run;
  const auto status = platform.poll(JobHandle::of(run));
  if (!status) {
    run.status = RunStatus::kUnknown;
    run.reason = status.error().message;
    return run;
  }
  // An intent whose submission was cut short; otherwise it was there once.
  const bool intent = run.status == RunStatus::kQueued && run.job.empty();
  return !status->known && intent ? run : as_told(std::move(run), *status, clock.now_ns());
}

std::optional<Run> reader_of(const std::string& store, std::vector<Run> runs,
                             const std::string& platform_name, Platform& platform, Clock& clock) {
  for (Run& run : runs) {
    if (is_over(run.status) || !reads_from(run, store)) continue;
    if (run.platform == platform_name) run = settle(platform, clock, std::move(run));
    if (!is_over(run.status)) return std::move(run);
  }
  return std::nullopt;
}

Result<Run> cancel(Platform& platform, Clock& clock, const Run& run, CancelOptions options) {
  TRY(platform.cancel(JobHandle::of(run)));
  const std::int64_t began = clock.steady_ns();
  std::chrono::milliseconds pause{5};
  for (;;) {
    const Run now = settle(platform, clock, run);
    if (is_over(now.status)) return now;
    if (clock.steady_ns() - began > std::chrono::nanoseconds(options.patience).count()) break;
    clock.wait(pause, {});
    pause = std::min(pause * 2, std::chrono::milliseconds(200));
  }
  return fail(step_error(cat("Run ", quoted(run.id), " was asked to end and has not yet"),
                         cat("`trainmake show ", run.id, "` tells when it has")));
}

std::map<std::string, double> metrics_told(Platform& platform, const Run& run, Metrics metrics) {
  LogLines lines;
  const LogLines::Sink take = [&](std::string_view line) { (void)metrics.line(line); };
  for (std::int64_t offset = 0;;) {
    const auto bytes = next_of_log(platform, run, offset);
    if (!bytes || bytes->empty()) break;
    lines.add(*bytes, take);
  }
  lines.finish(take);
  return metrics.values();
}

Result<std::string> next_of_log(Platform& platform, const Run& run, std::int64_t& offset) {
  TRY_ASSIGN(std::string bytes, platform.read_log(JobHandle::of(run), offset, kLogPiece));
  offset += static_cast<std::int64_t>(bytes.size());
  return bytes;
}

Result<std::string> end_of_log(Platform& platform, const Run& run, std::size_t limit) {
  return platform.read_log(JobHandle::of(run), -static_cast<std::int64_t>(limit), limit);
}

}  // namespace trainmake
