// `logs`: what a job printed, as it printed it. Changes nothing.
#include <algorithm>

#include "engine/base/log_lines.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/live_run.h"

namespace trainmake {

Result<int> logs_command(const Call& call) {
  Session& session = call.session;
  const std::vector<std::string>& words = session.line().words;
  if (words.size() != 1)
    return fail(user_error(cat("`trainmake logs` needs one run or label, got ", words.size()),
                           "`trainmake runs` lists runs"));
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(Run run, find_run(session, words.front(), WhichRun::kLatest));
  const FollowOptions options{.to_the_end = session.line().has("--follow")};
  bool left_early = false, any = false;
  if (session.json()) {
    const std::unique_ptr<Reporter> reporter = make_json_reporter();
    LogLines lines;
    const LogLines::Sink tell = [&](std::string_view line) {
      reporter->event(LogLine{run.label, std::string(line)});
    };
    TRY_ASSIGN(const bool whole, follow_log(
                                     session, run, [&](std::string_view bytes) { lines.add(bytes, tell); },
                                     options, call.stop));
    lines.finish(tell);
    left_early = !whole;
  } else {
    TRY_ASSIGN(const bool whole,
               follow_log(
                   session, run, [&](std::string_view bytes) { any = true, write_stdout(bytes); }, options,
                   call.stop));
    left_early = !whole;
    run = live(session, std::move(run));
    if (!any && run.started_ns == 0)
      write_stderr(cat("run ", run.id, " has not started\n"));
    else if (!any)
      write_stderr(cat("run ", run.id, " printed nothing",
                       is_over(run.status) ? ", or its log is not kept any more" : " yet", "\n"));
  }
  return left_early ? exit_code_of(Blame::kInterrupted) : 0;
}

}  // namespace trainmake
