#include "engine/cli/live_run.h"

#include <algorithm>
#include <chrono>

#include "engine/base/text.h"
#include "engine/cli/hold.h"
#include "engine/cli/report.h"
#include "rules/job/asked_again.h"
#include "rules/job/provenance.h"
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

std::string asked_again(Session& session, const Run& run) {
  const auto space = session.space();
  return asked_again(session.shown(run.label), run, space ? **space : Space());
}

std::string repeated(Session& session, const Run& run, const std::string& platform) {
  const auto space = session.space();
  return repeated({run.id, run.platform, contract_given_to(run)}, platform, space ? **space : Space());
}

Patience patience_of_looking(std::stop_token stop) {
  return {std::move(stop), [](const std::string& text) { write_stderr(text + "\n"); }};
}

Run live(Session& session, Run run, const Patience& patience) {
  if (is_over(run.status)) return run;
  const Result<Platform*> platform = platform_of(session, run);
  if (platform) {
    const auto is_left = [&session, held = run] {
      const auto step = try_hold_run(session, held);
      return step && *step;
    };
    return settle(**platform, session.host().clock, std::move(run), patience, is_left);
  }
  run.status = RunStatus::kUnknown;
  run.reason = platform.error().message;
  return run;
}

std::vector<Run> live(Session& session, std::vector<Run> runs, const Patience& patience) {
  for (Run& run : runs) run = live(session, std::move(run), patience);
  return runs;
}

Result<std::optional<Run>> run_in_flight(Session& session, const Label& label, const Manifest& manifest) {
  TRY_ASSIGN(const std::vector<Run> runs, session.state().in_flight(label));
  std::optional<Run> run = run_to_take_up(runs, manifest);
  if (!run) return run;
  TRY_ASSIGN(Platform * platform, platform_of(session, *run));
  const Result<JobStatus> status = platform->poll(JobHandle::of(*run));
  // What never came to be there, or is lost, is started again.
  const bool is_gone = status && (!status->known || status->status == RunStatus::kLost);
  return is_gone ? std::optional<Run>() : std::move(run);
}

Result<bool> follow_log(Session& session, const Run& run, const std::function<void(std::string_view)>& sink,
                        FollowOptions options, std::stop_token stop) {
  return follow_logs(
      session, {run}, [&](std::size_t, std::string_view bytes) { sink(bytes); }, options, std::move(stop));
}

Result<bool> follow_logs(Session& session, const std::vector<Run>& runs,
                         const std::function<void(std::size_t, std::string_view)>& sink,
                         FollowOptions options, std::stop_token stop) {
  struct Followed {
    Platform* platform;
    std::int64_t offset = 0;
    bool over = false;
  };
  std::vector<Followed> all;
  for (const Run& run : runs) {
    TRY_ASSIGN(Platform * platform, platform_of(session, run));
    all.push_back({platform});
  }
  for (std::chrono::milliseconds pause = kFirstPause;; pause = std::min(pause * 3 / 2, kLongestPause)) {
    bool goes_on = false;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      Followed& followed = all[i];
      if (followed.over) continue;
      // Asked before the log is read: what it printed at its end is then there to read.
      followed.over = !options.to_the_end || is_over(live(session, runs[i], {stop}).status);
      goes_on = goes_on || !followed.over;
      for (;;) {
        TRY_ASSIGN(const std::string bytes, next_of_log(*followed.platform, runs[i], followed.offset, stop));
        if (bytes.empty()) break;
        pause = kFirstPause;
        sink(i, bytes);
        if (stop.stop_requested()) return false;
      }
    }
    if (!goes_on) return true;
    if (session.host().clock.wait(pause, stop)) return false;
  }
}

}  // namespace trainmake
