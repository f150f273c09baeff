#include "engine/cli/find_run.h"

#include <algorithm>
#include <set>

#include "engine/base/text.h"
#include "engine/cli/live_run.h"
#include "rules/job/platforms/uai/uai_choice.h"

namespace trainmake {
namespace {

constexpr std::size_t kShownRuns = 8;
constexpr std::string_view kForms =
    "Name it by its label, its id or a start of that, or the platform's id of its job; `trainmake runs` "
    "lists "
    "runs";

std::string listed(const std::vector<const Run*>& runs, std::string_view here) {
  std::string text;
  for (std::size_t i = 0; i < runs.size() && i < kShownRuns; ++i)
    text += cat(i == 0 ? "" : ", ", quoted(runs[i]->id), " (", runs[i]->label.shortest_from(here), ")");
  return runs.size() > kShownRuns ? cat(text, " and ", runs.size() - kShownRuns, " more") : text;
}

std::vector<std::string> labels_of(const std::vector<Run>& runs, std::string_view here) {
  std::set<std::string> labels;
  for (const Run& run : runs) labels.insert(run.label.shortest_from(here));
  return {labels.begin(), labels.end()};
}

Error unknown(const std::string& word, const std::vector<Run>& runs, std::string_view here) {
  std::vector<std::string> names = labels_of(runs, here);
  std::string hint;
  for (const std::string& label : names) {
    if (label.ends_with(cat(":", word))) hint = cat("Did you mean ", quoted(label), "?");
  }
  for (const Run& run : runs) names.push_back(run.id);
  if (hint.empty()) hint = did_you_mean(word, names);
  return user_error(cat("There is no run ", quoted(word)), hint.empty() ? std::string(kForms) : hint);
}

// Others start jobs there, too, whose ids are all that a person may have.
bool has_uai(Session& session) {
  const Result<const Space*> space = session.space();
  if (!space) return false;
  const std::vector<std::string> names = (*space)->names("platform");
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return is_uai(*(*space)->find("platform", name)); });
}

Error never_ran(const Label& label, const std::vector<Run>& runs, std::string_view here) {
  const std::string shown = label.shortest_from(here);
  if (label.kind != "job")
    return user_error(cat(quoted(shown), " is no job, and only jobs have runs"),
                      "`trainmake runs` lists them");
  const std::string meant = did_you_mean(shown, labels_of(runs, here));
  return user_error(
      cat(quoted(shown), " has not run yet"),
      meant.empty() ? cat("`trainmake plan ", shell_word(shown), "` says what would run") : meant);
}

}  // namespace

bool is_label_like(std::string_view word) {
  return word.find(':') != word.npos || word.starts_with("//") || word.ends_with("...");
}

Result<Run> run_of_label(State& state, const Label& label, std::string_view here, WhichRun which,
                         const std::function<bool(const Run&)>& goes_on) {
  TRY_ASSIGN(const std::vector<Run> runs, state.all());
  const auto latest = std::find_if(runs.begin(), runs.end(), [&](const Run& run) {
    return run.label == label && (which != WhichRun::kResult || run.repeats.empty());
  });
  if (latest == runs.end()) return fail(never_ran(label, runs, here));
  if (which != WhichRun::kResult) {
    const auto unfinished = std::find_if(latest, runs.end(), [&](const Run& run) {
      return run.label == label && !is_over(run.status) && (which == WhichRun::kUnfinished || goes_on(run));
    });
    if (unfinished != runs.end()) return *unfinished;
  }
  TRY_ASSIGN(const std::optional<Record> record, state.last(label));
  const auto result =
      record ? std::find_if(runs.begin(), runs.end(), [&](const Run& run) { return run.id == record->run; })
             : runs.end();
  if (result == runs.end()) return *latest;
  TRY_ASSIGN(const bool tried_since, state.began_after_result(*latest));
  return tried_since && which != WhichRun::kResult ? *latest : *result;
}

Result<Run> run_of_id(State& state, const std::string& start, std::string_view here) {
  TRY_ASSIGN(const std::vector<Run> runs, state.all());
  std::vector<const Run*> found;
  bool is_job = false;  // of one of them, to its platform
  for (const Run& run : runs) {
    if (run.id == start) return run;
    if (start.empty()) continue;
    is_job = is_job || run.job == start;
    if (run.job == start || run.id.starts_with(start)) found.push_back(&run);
  }
  if (found.empty()) return fail(unknown(start, runs, here));
  if (found.size() == 1) return *found.front();
  return fail(user_error(cat("More than one run ", is_job ? "is meant by " : "begins with ", quoted(start),
                             ": ", listed(found, here)),
                         is_job ? "Name it by its own id" : "Give some more of it"));
}

Result<Run> find_run(Session& session, const std::string& word, WhichRun which) {
  if (!is_label_like(word)) {
    auto run = run_of_id(session.state(), word, session.here());
    if (!run && run.error().hint == kForms && !word.empty() && has_uai(session))
      run.error().hint =
          cat("A run of this workspace is named by its label, its id or a start of that, or "
              "the platform's id of its job, and `trainmake runs` lists them; a job on "
              "UAI-Train that others started is shown by `trainmake uai list`, and ended by "
              "`trainmake uai stop ",
              shell_word(word), "`");
    return run;
  }
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests({word}));
  if (!patterns.front().is_label())
    return fail(user_error(cat("One run is wanted, and ", quoted(word), " may name many"),
                           cat("`trainmake runs ", word, "` lists them")));
  const auto goes_on = [&](const Run& run) {
    return !is_over(live(session, run, patience_of_looking({})).status);
  };
  return run_of_label(session.state(), patterns.front().label(), session.here(), which, goes_on);
}

}  // namespace trainmake
