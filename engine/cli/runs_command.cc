// `runs` and `ps`: the history of jobs, and those that go on. They change nothing but what is remembered of
// jobs that ended while nobody looked.
#include <algorithm>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/live_run.h"
#include "engine/cli/run_filter.h"
#include "engine/cli/run_json.h"
#include "engine/cli/table.h"
#include "rules/job/container_layout.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

constexpr std::size_t kShownRuns = 40;  // as text, when no limit is given

Result<std::optional<std::size_t>> limit_of(const CommandLine& line) {
  const std::optional<std::string> given = line.value("--limit");
  if (!given) return std::optional<std::size_t>();
  const std::optional<double> number = parse_number(*given);
  if (!number || *number < 1 || *number > 1e9 ||
      *number != static_cast<double>(static_cast<std::size_t>(*number)))
    return fail(user_error(cat("Flag `--limit` takes a whole number from 1, got ", quoted(*given))));
  return std::optional(static_cast<std::size_t>(*number));
}

// The runs of what was asked for among those that `read` finds, in its order, as they are remembered.
Result<std::vector<Run>> remembered(const Call& call, Result<std::vector<Run>> (State::*read)()) {
  Session& session = call.session;
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests(session.line().words));
  TRY(session.open_state(State::Access::kLook));
  const auto is_wanted = [&](const Run& run) {
    return patterns.empty() || std::any_of(patterns.begin(), patterns.end(),
                                           [&](const Pattern& pattern) { return pattern.fits(run.label); });
  };
  const auto wanted = [&]() -> Result<std::vector<Run>> {
    TRY_ASSIGN(std::vector<Run> runs, (session.state().*read)());
    std::erase_if(runs, [&](const Run& run) { return !is_wanted(run); });
    return runs;
  };
  TRY_ASSIGN(std::vector<Run> runs, wanted());
  return record_ended(session, runs, call.stop) ? wanted() : std::move(runs);
}

// Where it ran, and what it saw there, as far as that is not the same for all that are shown.
using Column = std::pair<std::string, std::string (*)(const Run&)>;
std::vector<Column> telling_columns(const std::vector<Run>& runs) {
  const Column all[] = {
      {"platform", [](const Run& run) { return printable(run.platform); }},
      {"contract", [](const Run& run) { return printable(told_by(contract_given_to(run)).text()); }}};
  std::vector<Column> telling;
  for (const Column& column : all) {
    const bool differs = std::any_of(runs.begin(), runs.end(), [&](const Run& run) {
      return column.second(run) != column.second(runs.front());
    });
    if (differs) telling.push_back(column);
  }
  return telling;
}

std::string runs_text(Session& session, const std::vector<Run>& runs) {
  const std::vector<Column> telling = telling_columns(runs);
  std::vector<std::vector<std::string>> rows = {{"run", "label", "status"}};
  for (const auto& [name, text] : telling) rows.front().push_back(name);
  for (const char* name : {"started (UTC)", "took", "metrics", "params"}) rows.front().emplace_back(name);
  const std::int64_t now = session.host().clock.now_ns();
  for (const Run& run : runs) {
    std::vector<std::string>& row = rows.emplace_back();
    row = {run.id, session.shown(run.label), std::string(name_of(run.status))};
    for (const auto& [name, text] : telling) row.push_back(text(run));
    row.insert(row.end(),
               {moment_text(run.started_ns), took_text(run, now), metrics_text(run), params_text(run)});
  }
  return table_text(rows);
}

void write_runs(Session& session, const std::vector<Run>& runs) {
  if (!session.json()) {
    if (!runs.empty()) write_stdout(runs_text(session, runs));
    return;
  }
  for (const Run& run : runs) write_stdout(run_json(run) + "\n");
}

}  // namespace

Result<int> runs_command(const Call& call) {
  Session& session = call.session;
  TRY_ASSIGN(const std::optional<std::size_t> limit, limit_of(session.line()));
  for (const std::string& word : session.line().words) {
    if (!is_label_like(word))
      return fail(user_error(
          cat(quoted(word), " is no label"),
          cat("A label looks like `job:mnist`; `trainmake show ", printable(word), "` shows one run")));
  }
  TRY_ASSIGN(const RunFilter filter, run_filter_of(session.line(), session.host().clock.now_ns()));
  TRY_ASSIGN(std::vector<Run> runs, remembered(call, &State::all));
  runs = live(session, std::move(runs), patience_of_looking(call.stop));
  std::erase_if(runs, [&](const Run& run) { return !fits(filter, run); });
  TRY(check_sort(filter, runs));
  sort_runs(filter, runs);
  const std::size_t all = runs.size();
  runs.resize(std::min(all, limit.value_or(session.json() ? all : kShownRuns)));
  write_runs(session, runs);
  if (session.json()) return 0;
  if (all == 0)
    write_stderr(session.line().words.empty() && session.line().flags.empty() ? "no runs yet\n"
                                                                              : "no runs of that\n");
  else if (!limit && all > kShownRuns)
    write_stderr(cat("and ", all - kShownRuns, filter.sort.empty() ? " earlier ones" : " more", "; `--limit ",
                     all, "` shows all\n"));
  return 0;
}

Result<int> ps_command(const Call& call) {
  Session& session = call.session;
  TRY_ASSIGN(std::vector<Run> runs, remembered(call, &State::in_flight));
  runs = live(session, std::move(runs), patience_of_looking(call.stop));
  std::erase_if(runs, [](const Run& run) { return is_over(run.status); });
  write_runs(session, runs);
  if (!session.json() && runs.empty()) write_stderr("no jobs in flight\n");
  return 0;
}

}  // namespace trainmake
