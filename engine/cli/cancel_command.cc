// `cancel`: ends a job, wherever it runs, and remembers that.
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/hold.h"
#include "engine/cli/live_run.h"
#include "engine/cli/table.h"
#include "rules/job/platform.h"
#include "rules/job/provenance.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

// Another trainmake that watches the job remembers its end, with what it had said till then: that is left to
// it, and as it is. False when it still has to.
Result<bool> remember_end(Session& session, Platform& platform, Run ended) {
  TRY_ASSIGN(const std::optional<FileLock> step, try_hold_step(session, ended.label));
  if (!step) return false;
  TRY_ASSIGN(const std::optional<Run> now, session.state().get(ended.id));
  if (now && is_over(now->status)) return true;
  ended.metrics = metrics_told(platform, ended, metrics_declared_of(ended));
  TRY(session.state().put(ended));
  TRY(platform.settled(JobHandle::of(ended), ended.status, {}));
  return true;
}

Result<void> cancel_one(Session& session, const Run& run) {
  const std::string name = cat("run ", run.id, " of ", session.shown(run.label));
  if (is_over(run.status)) {
    write_stderr(cat(name, " is over already: ", status_text(run), "\n"));
    return {};
  }
  TRY_ASSIGN(Platform * platform, platform_of(session, run));
  TRY_ASSIGN(const Run ended, cancel(*platform, session.host().clock, run));
  if (ended.status == RunStatus::kSucceeded) {
    write_stderr(cat(name, " had succeeded before it could be cancelled; `trainmake attach ", run.id,
                     "` remembers its result\n"));
    return {};
  }
  TRY_ASSIGN(const bool remembered, remember_end(session, *platform, ended));
  write_stderr(cat(name, ": ", name_of(ended.status),
                   remembered ? "\n" : "; the trainmake that watches it remembers that\n"));
  return {};
}

}  // namespace

Result<int> cancel_command(const Call& call) {
  Session& session = call.session;
  if (session.line().words.empty())
    return fail(
        user_error("`trainmake cancel` needs a run or a label", "`trainmake ps` lists jobs in flight"));
  TRY(session.open_state(State::Access::kLook));
  std::vector<Run> runs;
  for (const std::string& word : session.line().words) {
    TRY_ASSIGN(Run run, find_run(session, word, WhichRun::kUnfinished));
    runs.push_back(std::move(run));
  }
  TRY_ASSIGN(const FileLock workspace, hold_workspace(session, FileLock::Mode::kShared, call.stop));
  TRY(session.open_state(State::Access::kWrite));
  for (const Run& run : runs) TRY(cancel_one(session, run));
  return 0;
}

}  // namespace trainmake
