// `attach`: follows a job that another client left, or still watches, to its end, and sees to it that its end
// is remembered.
#include <chrono>

#include "engine/base/log_lines.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/hold.h"
#include "engine/cli/live_run.h"
#include "engine/cli/present_run.h"
#include "engine/cli/table.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

constexpr std::chrono::milliseconds kPause{100};

// Without a word, the one job in flight.
Result<Run> run_to_attach_to(Session& session) {
  const std::vector<std::string>& words = session.line().words;
  if (words.size() > 1)
    return fail(user_error(cat("`trainmake attach` takes one run or label, got ", words.size())));
  if (!words.empty()) return find_run_going_on(session, words.front(), WhichRun::kUnfinished);
  TRY_ASSIGN(std::vector<Run> runs, session.state().in_flight());
  if (runs.size() == 1) return runs.front();
  if (runs.empty()) return fail(user_error("No job is in flight", "`trainmake runs` lists those that were"));
  std::string names;
  for (const Run& run : runs)
    names += cat(names.empty() ? "" : ", ", quoted(run.id), " (", session.shown(run.label), ")");
  return fail(user_error(cat("More than one job is in flight: ", names), "Say which one"));
}

// An intent that no platform has taken: only who knows what to submit can go on with it.
Result<void> check_handed_over(Session& session, const Run& run, const std::stop_token& stop) {
  if (!is_intent(run)) return {};
  const RunStatus now = live(session, run, {stop}).status;
  if (now != RunStatus::kQueued && now != RunStatus::kLost) return {};
  return fail(user_error(cat("Run ", quoted(run.id), " was cut short before it was handed over",
                             run.reason.empty() ? "" : cat(": ", printable(run.reason))),
                         cat("`trainmake ", asked_again(session, run),
                             "` looks whether it was started, and starts it if not; `trainmake cancel ",
                             run.id, "` sees that it never is")));
}

// Another trainmake watches it and will remember its end: shows the log meanwhile. The step, held, when
// that one is done with it; an empty optional when this one was asked to stop.
Result<std::optional<FileLock>> watch_along(Session& session, const Run& run, Reporter& reporter,
                                            std::stop_token stop) {
  LogLines lines;
  const LogLines::Sink tell = [&](std::string_view line) {
    reporter.event(LogLine{run.label, std::string(line)});
  };
  TRY_ASSIGN(const bool over,
             follow_log(
                 session, run, [&](std::string_view bytes) { lines.add(bytes, tell); }, {}, stop));
  lines.finish(tell);
  for (bool left = !over; !left; left = session.host().clock.wait(kPause, stop)) {
    TRY_ASSIGN(std::optional<FileLock> held, try_hold_run(session, run));
    if (held) return held;
  }
  return std::optional<FileLock>();
}

Result<int> told(Session& session, const Run& run) {
  const bool well = run.status == RunStatus::kSucceeded;
  write_stderr(cat("run ", run.id, " of ", session.shown(run.label), " is over: ", status_text(run),
                   "; `trainmake logs ", run.id, "` shows what it said\n"));
  return well ? 0 : exit_code_of(Blame::kStep);
}

Result<int> left_running(Session& session, const Run& run) {
  const std::string typed = shell_word(typed_for(session.state(), run, session.shown(run.label)));
  write_stderr(cat("left running; `trainmake attach ", typed, "` comes back to it, `trainmake cancel ", typed,
                   "` ends it\n"));
  return exit_code_of(Blame::kInterrupted);
}

}  // namespace

Result<int> attach_command(const Call& call) {
  Session& session = call.session;
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(const Run run, run_to_attach_to(session));
  if (is_over(run.status)) return told(session, run);
  TRY(check_handed_over(session, run, call.stop));
  TRY_ASSIGN(const FileLock workspace, hold_workspace(session, FileLock::Mode::kShared, call.stop));
  TRY(session.open_state(State::Access::kWrite));
  const std::unique_ptr<Reporter> reporter =
      session.json() ? make_json_reporter() : make_plain_reporter(session.here());
  reporter->event(Attached{run.label, run.id, cat("Attached to run ", run.id)});
  TRY_ASSIGN(std::optional<FileLock> step, try_hold_run(session, run));
  if (!step) {
    TRY_ASSIGN(step, watch_along(session, run, *reporter, call.stop));
    if (!step) return left_running(session, run);
  }
  TRY_ASSIGN(const std::optional<Run> now, session.state().get(run.id));
  if (now && is_over(now->status)) return told(session, *now);
  TRY_ASSIGN(const bool ended, finish_run(session, now.value_or(run), *reporter, call.stop));
  if (!ended) return left_running(session, run);
  Summary summary;
  summary.of(Outcome::kRan) = {run.label};
  session.finish(*reporter, std::move(summary));
  return 0;
}

}  // namespace trainmake
