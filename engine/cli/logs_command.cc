// `logs`: what jobs printed. One alone as it printed it, several with the label before each line. Changes
// nothing.
#include <algorithm>
#include <map>

#include "engine/base/log_lines.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/live_run.h"
#include "engine/cli/present_run.h"
#include "engine/cli/table.h"

namespace trainmake {
namespace {

// The latest run of each label that the pattern fits, by label.
Result<std::vector<Run>> runs_of_pattern(Session& session, const std::string& word, const Pattern& pattern) {
  TRY_ASSIGN(const std::vector<Run> all, session.state().all());
  std::map<Label, const Run*> latest;
  for (const Run& run : all) {
    if (pattern.fits(run.label)) latest.try_emplace(run.label, &run);
  }
  std::vector<Run> runs;
  for (const auto& [label, run] : latest) runs.push_back(*run);
  if (!runs.empty()) return runs;
  return fail(
      user_error(cat("Nothing that ", quoted(word), " names has run yet"), "`trainmake runs` lists runs"));
}

// Each once, in the order in which they are named. Without a word, all that are in flight.
Result<std::vector<Run>> runs_to_show(Session& session) {
  const std::vector<std::string>& words = session.line().words;
  if (words.empty()) {
    TRY_ASSIGN(std::vector<Run> runs, session.state().in_flight());
    if (!session.line().has("--follow") || runs.empty())
      return fail(user_error(runs.empty() ? "No job is in flight" : "`trainmake logs` needs a run or label",
                             "`trainmake runs` lists runs"));
    return runs;
  }
  std::vector<Run> runs;
  for (const std::string& word : words) {
    std::vector<Run> found;
    if (is_label_like(word)) {
      TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests({word}));
      if (!patterns.front().is_label()) {
        TRY_ASSIGN(found, runs_of_pattern(session, word, patterns.front()));
      }
    }
    if (found.empty()) {
      TRY_ASSIGN(Run run, find_run_going_on(session, word, WhichRun::kLatest, OfSeveral::kAny));
      found.push_back(std::move(run));
    }
    for (Run& run : found) {
      const bool is_new =
          std::none_of(runs.begin(), runs.end(), [&](const Run& r) { return r.id == run.id; });
      if (is_new) runs.push_back(std::move(run));
    }
  }
  return runs;
}

// What stands before a run's lines: its label, and which run where there are several of that.
std::vector<std::string> heads_of(const Session& session, const std::vector<Run>& runs) {
  std::vector<std::string> heads;
  std::size_t width = 0;
  for (const Run& run : runs) {
    const auto of_label =
        std::count_if(runs.begin(), runs.end(), [&](const Run& r) { return r.label == run.label; });
    heads.push_back(
        cat(session.shown(run.label), of_label > 1 ? cat(" ", run.id.substr(0, 6)) : std::string()));
    width = std::max(width, heads.back().size());
  }
  for (std::string& head : heads) head = cat(head, std::string(width - head.size(), ' '), "  | ");
  return heads;
}

Result<bool> show_lines(const Call& call, const std::vector<Run>& runs, FollowOptions options) {
  Session& session = call.session;
  const std::unique_ptr<Reporter> json = session.json() ? make_json_reporter() : nullptr;
  const std::vector<std::string> heads = heads_of(session, runs);
  std::vector<LogLines> lines(runs.size());
  const auto sink_of = [&](std::size_t i) -> LogLines::Sink {
    return [&, i](std::string_view line) {
      if (json)
        json->event(LogLine{runs[i].label, std::string(line)});
      else
        write_stdout(cat(heads[i], printable(line), "\n"));
    };
  };
  TRY_ASSIGN(
      const bool whole,
      follow_logs(
          session, runs, [&](std::size_t i, std::string_view bytes) { lines[i].add(bytes, sink_of(i)); },
          options, call.stop));
  for (std::size_t i = 0; i < runs.size(); ++i) lines[i].finish(sink_of(i));
  return whole;
}

Result<bool> show_one(const Call& call, Run run, FollowOptions options) {
  Session& session = call.session;
  bool any = false;
  TRY_ASSIGN(const bool whole,
             follow_log(
                 session, run, [&](std::string_view bytes) { any = true, write_stdout(bytes); }, options,
                 call.stop));
  run = live(session, std::move(run), patience_of_looking(call.stop));
  if (!any && run.started_ns == 0)
    write_stderr(cat("run ", run.id,
                     is_over(run.status) ? cat(" never started: ", status_text(run)) : " has not started",
                     "\n"));
  else if (!any)
    write_stderr(cat("run ", run.id, " printed nothing",
                     is_over(run.status) ? ", or its log is not kept any more" : " yet", "\n"));
  return whole;
}

}  // namespace

Result<int> logs_command(const Call& call) {
  Session& session = call.session;
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(const std::vector<Run> runs, runs_to_show(session));
  const FollowOptions options{.to_the_end = session.line().has("--follow")};
  const bool as_printed = runs.size() == 1 && !session.json();
  TRY_ASSIGN(const bool whole,
             as_printed ? show_one(call, runs.front(), options) : show_lines(call, runs, options));
  return whole ? 0 : exit_code_of(Blame::kInterrupted);
}

}  // namespace trainmake
