#include "engine/cli/live_run.h"

#include <algorithm>
#include <chrono>

#include "engine/base/text.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

constexpr const char* kLocal = "local";
constexpr std::chrono::milliseconds kFirstPause{20}, kLongestPause{500};

}  // namespace

Result<Platform*> platform_of(Session& session, const Run& run) {
  TRY_ASSIGN(const Space* space, session.space());
  if (run.platform != kLocal && space->find("platform", run.platform) == nullptr)
    return fail(user_error(cat("Run ", quoted(run.id), " is on platform ", quoted(run.platform),
                               ", which is not declared any more"),
                           "Declare it in TRAINSPACE.lua as it was"));
  return session.platform_named(run.platform);
}

Run live(Session& session, Run run) {
  if (is_over(run.status)) return run;
  const Result<Platform*> platform = platform_of(session, run);
  if (platform) return settle(**platform, session.host().clock, std::move(run));
  run.status = RunStatus::kUnknown;
  run.reason = platform.error().message;
  return run;
}

std::vector<Run> live(Session& session, std::vector<Run> runs) {
  for (Run& run : runs) run = live(session, std::move(run));
  return runs;
}

Result<std::optional<Run>> run_in_flight(Session& session, const Label& label,
                                         const Fingerprint& fingerprint) {
  TRY_ASSIGN(const std::vector<Run> runs, session.state().of(label, fingerprint));
  const auto found =
      std::find_if(runs.begin(), runs.end(), [](const Run& run) { return !is_over(run.status); });
  if (found == runs.end()) return std::optional<Run>();
  TRY_ASSIGN(Platform * platform, platform_of(session, *found));
  const Result<JobStatus> status = platform->poll(JobHandle::of(*found));
  // What never came to be there, or is lost, is started again.
  const bool is_gone = status && (!status->known || status->status == RunStatus::kLost);
  return is_gone ? std::optional<Run>() : *found;
}

Result<bool> follow_log(Session& session, const Run& run, const std::function<void(std::string_view)>& sink,
                        FollowOptions options, std::stop_token stop) {
  TRY_ASSIGN(Platform * platform, platform_of(session, run));
  std::int64_t offset = 0;
  for (std::chrono::milliseconds pause = kFirstPause;; pause = std::min(pause * 3 / 2, kLongestPause)) {
    // Asked before the log is read: what it printed at its end is then there to read.
    const bool over = !options.to_the_end || is_over(live(session, run).status);
    for (;;) {
      TRY_ASSIGN(const std::string bytes, next_of_log(*platform, run, offset));
      if (bytes.empty()) break;
      pause = kFirstPause;
      sink(bytes);
      if (stop.stop_requested()) return false;
    }
    if (over) return true;
    if (session.host().clock.wait(pause, stop)) return false;
  }
}

}  // namespace trainmake
