// `cancel`: ends jobs, wherever they run, and remembers that.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/hold.h"
#include "engine/cli/live_run.h"
#include "engine/cli/present_run.h"
#include "engine/cli/table.h"
#include "rules/job/checkpoint.h"
#include "rules/job/platform.h"
#include "rules/job/provenance.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

// Another trainmake that watches the job remembers its end, with what it had said till then: that is left to
// it, and as it is. False when it still has to.
Result<bool> remember_end(Session& session, Platform& platform, Run ended, const std::stop_token& stop) {
  TRY_ASSIGN(const std::optional<FileLock> step, try_hold_run(session, ended));
  if (!step) return false;
  TRY_ASSIGN(const std::optional<Run> now, session.state().get(ended.id));
  if (now && is_over(now->status)) return true;
  TRY_ASSIGN(const Space* space, session.space());
  const Metrics told =
      metrics_told(platform, session.host().files, *space, ended, metrics_declared_of(ended), stop);
  ended.metrics = told.values();
  ended.curves = told.curves();
  TRY_ASSIGN(const std::string wrong,
             keep_checkpoint_of(platform, session.host().files, session.blobs(), ended, stop));
  if (!wrong.empty()) write_stderr(cat("the checkpoint of run ", ended.id, " cannot be kept: ", wrong, "\n"));
  TRY(session.state().put(ended));
  TRY(platform.settled(JobHandle::of(ended), ended.status, {}));
  return true;
}

std::string shown_run(Session& session, const Run& run) {
  return cat("run ", run.id, " of ", session.shown(run.label));
}

// Whether no platform was handed it, as far as can be told.
bool is_lost_intent(Session& session, const Run& run, const std::stop_token& stop) {
  if (!is_intent(run)) return false;
  const auto say = [&](const std::string& text) {
    write_stderr(cat(shown_run(session, run), ": ", text, "\n"));
  };
  const Run now = live(session, run, {stop, say});
  return now.status == RunStatus::kLost || now.status == RunStatus::kUnknown;
}

// Its job, should it come to be there after all, was told not to start: the next run of the same submits
// another.
Result<void> remember_lost(Session& session, const Run& intent, const std::stop_token& stop) {
  TRY_ASSIGN(Platform * platform, platform_of(session, intent));
  Run lost = not_handed_over(intent);
  lost.ended_ns = session.host().clock.now_ns();
  TRY_ASSIGN(const bool remembered, remember_end(session, *platform, lost, stop));
  write_stderr(cat(
      shown_run(session, intent),
      remembered ? " is lost: " : " is left to the trainmake that is at it: ", printable(lost.reason), "\n"));
  return {};
}

// How one ended that the platform was asked to end.
struct End {
  RunStatus status = RunStatus::kCancelled;
  bool remembered = false;
};

Result<End> see_its_end(Session& session, const Run& run, const std::stop_token& stop) {
  TRY_ASSIGN(Platform * platform, platform_of(session, run));
  const std::string name = shown_run(session, run);
  const auto say = [&](const std::string& text) { write_stderr(cat(name, ": ", text, "\n")); };
  TRY_ASSIGN(const Run ended, cancelled(*platform, session.host().clock, run, {.patience = {stop, say}}));
  if (ended.status == RunStatus::kSucceeded) return End{ended.status};
  TRY_ASSIGN(const bool remembered, remember_end(session, *platform, ended, stop));
  return End{ended.status, remembered};
}

void tell_end(Session& session, const Run& run, const End& end) {
  const std::string name = shown_run(session, run);
  if (end.status == RunStatus::kSucceeded)
    write_stderr(cat(name, " had succeeded before it could be cancelled; `trainmake attach ", run.id,
                     "` remembers its result\n"));
  else
    write_stderr(cat(name, ": ", name_of(end.status),
                     end.remembered ? "\n" : "; the trainmake that watches it remembers that\n"));
}

// "4 runs: 1 succeeded, 3 cancelled", and who sees them one by one.
void tell_ends(const std::map<RunStatus, std::size_t>& ends) {
  std::vector<std::string> parts;
  std::size_t all = 0;
  for (const auto& [status, count] : ends) {
    parts.push_back(cat(count, " ", name_of(status)));
    all += count;
  }
  if (all > 0)
    write_stderr(cat(plural(all, "run"), ": ", join(parts, ", "), "; `trainmake runs` lists them\n"));
}

// Those of a platform together. The answers are in their order.
std::vector<Result<void>> ask_to_end(Session& session, const std::vector<const Run*>& runs,
                                     const std::stop_token& stop) {
  std::vector<Result<void>> answers(runs.size());
  std::map<Platform*, std::vector<std::size_t>> by_platform;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (auto platform = platform_of(session, *runs[i]))
      by_platform[*platform].push_back(i);
    else
      answers[i] = fail(std::move(platform).error());
  }
  for (const auto& [platform, places] : by_platform) {
    std::vector<JobHandle> jobs;
    for (const std::size_t i : places) jobs.push_back(JobHandle::of(*runs[i]));
    const std::string first = shown_run(session, *runs[places.front()]);
    const auto say = [&](const std::string& text) { write_stderr(cat(first, ": ", text, "\n")); };
    std::vector<Result<void>> asked = platform->cancel_all(jobs, {stop, say});
    for (std::size_t k = 0; k < places.size(); ++k) answers[places[k]] = std::move(asked[k]);
  }
  return answers;
}

// All are asked to end before the end of any is waited for. What fails with one leaves none of the others.
Result<void> cancel_all(Session& session, const std::vector<Run>& runs, const std::stop_token& stop) {
  std::vector<Error> errors;
  std::vector<const Run*> in_flight;
  for (const Run& run : runs) {
    if (is_over(run.status))
      write_stderr(cat(shown_run(session, run), " is over already: ", status_text(run), "\n"));
    else
      in_flight.push_back(&run);
  }
  std::set<const Run*> never_handed_over;
  for (const Run* run : in_flight) {
    if (is_lost_intent(session, *run, stop)) never_handed_over.insert(run);
  }
  const std::vector<Result<void>> asked = ask_to_end(session, in_flight, stop);
  std::map<RunStatus, std::size_t> ends;
  for (std::size_t i = 0; i < in_flight.size(); ++i) {
    const Run& run = *in_flight[i];
    if (asked[i] && never_handed_over.contains(&run)) {
      if (const auto done = remember_lost(session, run, stop); !done) errors.push_back(done.error());
      continue;
    }
    Result<End> seen = asked[i] ? see_its_end(session, run, stop) : fail(asked[i].error());
    if (seen)
      ++ends[seen->status];
    else
      errors.push_back(seen.error());
    if (seen && in_flight.size() == 1) tell_end(session, run, *seen);
    if (!seen && seen.error().blame == Blame::kInterrupted) break;
  }
  if (in_flight.size() > 1) tell_ends(ends);
  if (errors.empty()) return {};
  Error first = std::move(errors.front());
  first.beside.insert(first.beside.end(), std::make_move_iterator(errors.begin() + 1),
                      std::make_move_iterator(errors.end()));
  return fail(std::move(first));
}

// A pattern is all that it matches and that is in flight; another word is one run, whether or not it is.
Result<std::vector<Run>> runs_named(Session& session, const std::string& word) {
  if (is_label_like(word)) {
    TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests({word}));
    if (!patterns.front().is_label()) {
      TRY_ASSIGN(std::vector<Run> runs, session.state().in_flight());
      std::erase_if(runs, [&](const Run& run) { return !patterns.front().fits(run.label); });
      if (runs.empty())
        return fail(user_error(cat("No job in flight matches ", quoted(word)), "`trainmake ps` lists them"));
      return runs;
    }
  }
  TRY_ASSIGN(Run run, find_run_going_on(session, word, WhichRun::kUnfinished));
  return std::vector<Run>{std::move(run)};
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
    TRY_ASSIGN(std::vector<Run> named, runs_named(session, word));
    for (Run& run : named) {
      const bool is_new =
          std::none_of(runs.begin(), runs.end(), [&](const Run& other) { return other.id == run.id; });
      if (is_new) runs.push_back(std::move(run));
    }
  }
  TRY_ASSIGN(const FileLock workspace, hold_workspace(session, FileLock::Mode::kShared, call.stop));
  TRY(session.open_state(State::Access::kWrite));
  TRY(cancel_all(session, runs, call.stop));
  return 0;
}

}  // namespace trainmake
