#include "engine/cli/build.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "cache/proof.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/cli/file_errors.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/hold.h"
#include "engine/cli/interrupt.h"
#include "engine/cli/look_on.h"
#include "engine/cli/sweep_report.h"
#include "engine/cli/sweep_table.h"
#include "engine/plan/plan.h"
#include "engine/run/run.h"

namespace trainmake {
namespace {

// A path that cannot be written is told before anything is done.
Result<void> add_trace(const Session& session, std::unique_ptr<Reporter>& reporter) {
  const std::optional<std::string> given = session.line().value("--trace");
  if (!given) return {};
  const std::string path = absolute_path(*given);
  TRY(check_trace_path(path));
  reporter = make_trace_reporter(std::move(reporter), path);
  return {};
}

// Everything that changes what a request comes to, beside what a proof looks at.
std::string request_key(const Session& session, const std::vector<std::string>& labels) {
  const CommandLine& line = session.line();
  std::string key =
      cat(line.has("--shell") ? "needs alone\n" : "", TRAINMAKE_VERSION, "\n", session.position().current,
          "\n", line.value("--platform").value_or(""), "\n", line.has("--local") ? "local" : "",
          line.has("--container") ? " container" : "", "\n", line.value("--contract").value_or(""), "\n",
          line.value("--variant").value_or(""), "\n");
  for (const std::string& word : labels) key += word + "\n";
  return key;
}

bool wants_work(const CommandLine& line) { return line.has("--force") || line.has("--retry"); }

// What was asked for is jobs by name, as `job:sweep-*`: they are compared when all has been said.
bool asks_for_jobs(const std::vector<Pattern>& patterns) {
  return std::all_of(patterns.begin(), patterns.end(),
                     [](const Pattern& pattern) { return pattern.kind == "job" && !pattern.recursive; });
}

// Jobs by a pattern, to be told of as one.
bool is_sweep(const Session& session, const std::vector<Pattern>& patterns) {
  const bool has_pattern = std::any_of(patterns.begin(), patterns.end(),
                                       [](const Pattern& pattern) { return !pattern.is_label(); });
  return has_pattern && !session.json() && asks_for_jobs(patterns);
}

bool has_result(Outcome outcome) {
  return outcome == Outcome::kRan || outcome == Outcome::kUpToDate || outcome == Outcome::kReused;
}

// Of the jobs that were asked for, those whose results are taken, and the last tries at the others.
Result<std::vector<Run>> runs_of_sweep(Session& session, const std::vector<Pattern>& patterns,
                                       const Summary& summary) {
  std::vector<Run> runs;
  std::set<Label> without;
  for (std::size_t outcome = 0; outcome < summary.steps.size(); ++outcome) {
    for (const Label& label : summary.steps[outcome]) {
      const bool asked = std::any_of(patterns.begin(), patterns.end(),
                                     [&](const Pattern& pattern) { return pattern.fits(label); });
      if (!asked) continue;
      if (!has_result(static_cast<Outcome>(outcome))) {
        without.insert(label);
        continue;
      }
      TRY_ASSIGN(const std::optional<Record> record, session.state().last(label));
      if (!record || record->run.empty()) continue;
      TRY_ASSIGN(std::optional<Run> run, session.state().get(record->run));
      if (run) runs.push_back(*std::move(run));
    }
  }
  if (without.empty()) return runs;
  TRY_ASSIGN(std::vector<Run> all, session.state().all());
  for (Run& run : all) {
    if (without.erase(run.label) > 0 && run.status != RunStatus::kSucceeded) runs.push_back(std::move(run));
  }
  return runs;
}

Result<std::optional<Ranking>> ranking_of(const CommandLine& line) {
  const std::optional<std::string> given = line.value("--sort");
  if (!given) return std::optional<Ranking>();
  TRY_ASSIGN(Ranking ranking, parse_ranking(*given));
  return std::optional(std::move(ranking));
}

bool is_told(const std::vector<Run>& runs, const std::string& metric) {
  return std::any_of(runs.begin(), runs.end(), [&](const Run& run) { return run.metrics.contains(metric); });
}

// A name that no job declares is told before hours are spent on them.
Result<void> check_ranking(const Session& session, const Graph& graph, const std::vector<Pattern>& patterns) {
  TRY_ASSIGN(const std::optional<Ranking> ranking, ranking_of(session.line()));
  if (!ranking || !asks_for_jobs(patterns)) return {};
  std::set<std::string> metrics;
  for (const TargetId id : graph.asked) {
    for (const auto& [name, source] : graph[id].fields("metrics")) metrics.insert(name);
  }
  if (metrics.contains(ranking->metric)) return {};
  const std::vector<std::string> names(metrics.begin(), metrics.end());
  const std::string meant = did_you_mean(ranking->metric, names);
  return fail(user_error(cat("None of these jobs has a metric ", quoted(ranking->metric), " to be sorted by"),
                         !meant.empty() ? meant
                         : names.empty()
                             ? "A job says what it tells with `metrics = { loss = \"loss=(%S+)\" }`"
                             : cat("There are ", join(names, ", "))));
}

Result<void> compare_jobs(Session& session, const std::vector<Pattern>& patterns, const Summary& summary) {
  constexpr std::size_t kMostRows = 40;
  if (session.json() || !asks_for_jobs(patterns)) return {};
  TRY_ASSIGN(std::optional<Ranking> ranking, ranking_of(session.line()));
  TRY_ASSIGN(const std::vector<Run> runs, runs_of_sweep(session, patterns, summary));
  const std::optional<Ranking> usual = usual_ranking(runs);
  const bool is_silent = ranking && !is_told(runs, ranking->metric);
  if (is_silent && usual)
    write_stderr(
        cat("No job told its metric ", quoted(ranking->metric), "; sorted by ", quoted(usual->metric), "\n"));
  if (is_silent || !ranking) ranking = usual;
  if (runs.size() < 2 || !ranking) return {};
  write_stderr(
      cat("\n", sweep_text(
                    runs, *ranking, [&](const Label& label) { return session.shown(label); }, kMostRows)));
  return {};
}

// The quickest way to nothing to do: what was looked at when it was last found so is as it was.
Result<bool> still_up_to_date(Session& session, Reporter& reporter, const std::vector<std::string>& labels,
                              const std::vector<Pattern>& patterns) {
  if (wants_work(session.line())) return false;
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(const std::uint64_t generation, session.state().generation());
  std::optional<ProofHolds> proof =
      check_proof(session.host(), session.workspace().root, session.workspace().cache,
                  request_key(session, labels), generation);
  if (!proof) return false;
  Summary summary;
  summary.of(Outcome::kUpToDate) = std::move(proof->up_to_date);
  TRY_ASSIGN(const std::optional<Ranking> ranking, ranking_of(session.line()));
  if (ranking && asks_for_jobs(patterns)) {
    TRY_ASSIGN(const std::vector<Run> runs, runs_of_sweep(session, patterns, summary));
    if (!is_told(runs, ranking->metric)) return false;  // whether it is a metric at all, the files tell
  }
  session.tally().stats_files += proof->looked_at;
  session.finish(reporter, summary);
  TRY(compare_jobs(session, patterns, summary));
  return true;
}

using Errors = std::vector<std::pair<Error, Label>>;

void tell(Reporter& reporter, const Errors& errors) {
  for (const auto& [error, label] : errors) reporter.event(Problem{error, label});
}

// Returns the exit code that the errors, told already, come to.
int end_with(Session& session, Reporter& reporter, const Errors& errors) {
  Summary summary;
  std::vector<Blame> blames;
  for (const auto& [error, label] : errors) blames.push_back(error.blame);
  summary.exit_code = exit_code_of(blames, false);
  session.finish(reporter, summary);
  return summary.exit_code;
}

int report_errors(Session& session, Reporter& reporter, const Errors& errors) {
  tell(reporter, errors);
  return end_with(session, reporter, errors);
}

StepLocker step_locker(Session& session) {
  return [&session](const Label& label, const std::optional<Fingerprint>& work) {
    return try_hold_step(session, label, work);
  };
}

// Losing what was hashed costs time alone, so it is told and decides nothing.
void keep_digests(Session& session, Reporter& reporter) {
  if (const Result<void> saved = session.digests().save(); !saved) {
    reporter.event(Message{{}, cat("what was hashed could not be kept: ", saved.error().message)});
  }
}

void keep_proof(Session& session, const std::vector<std::string>& labels, std::uint64_t generation,
                Looks looks, const Summary& summary, std::int64_t looked_at_ns) {
  if (looks.asked || summary.exit_code != 0 || summary.of(Outcome::kUpToDate).empty()) return;
  for (const Outcome outcome :
       {Outcome::kRan, Outcome::kReused, Outcome::kFailed, Outcome::kSkipped, Outcome::kDetached}) {
    if (!summary.of(outcome).empty()) return;
  }
  // Losing a proof costs time alone.
  (void)save_proof(session.host(), session.workspace().cache, request_key(session, labels),
                   {generation, std::move(looks), summary.of(Outcome::kUpToDate)}, looked_at_ns);
}

// What is known at once is told at once: looking at the files may take a while.
int report_load_errors(Session& session, Reporter& reporter, Loaded loaded) {
  Errors errors;
  for (Error& error : loaded.errors) errors.emplace_back(std::move(error), Label{});
  tell(reporter, errors);
  const Errors more = file_errors(session, loaded.graph);
  keep_digests(session, reporter);
  tell(reporter, more);
  errors.insert(errors.end(), more.begin(), more.end());
  return end_with(session, reporter, errors);
}

// Nothing of what is left was asked for itself.
void leave_needs(Graph& graph) {
  CHECK(graph.asked.size() == 1 && graph.asked.front() + 1 == graph.targets.size());
  graph.ids.erase(graph.targets.back().label);
  graph.targets.pop_back();
  graph.asked.clear();
}

// Those on their way, as far as anybody remembers, of jobs that are to be run as they are now: what one of
// them left may be what is asked for.
std::vector<Run> overtaken_runs(Session& session, const Graph& graph, const Plan& plan) {
  std::vector<Run> overtaken;
  Result<std::vector<Run>> runs = session.state().in_flight();
  if (!runs) return overtaken;  // told with the step
  for (Run& run : *runs) {
    const std::optional<TargetId> id = graph.find(run.label);
    const bool is_other = id && plan.steps[*id].may_run() && plan.steps[*id].fingerprint != run.fingerprint;
    if (is_other) overtaken.push_back(std::move(run));
  }
  return overtaken;
}

Result<int> build_with(Session& session, const std::vector<std::string>& labels, Extent extent,
                       Reporter& reporter) {
  TRY_ASSIGN(const std::optional<unsigned> jobs, jobs_of(session.line()));
  const unsigned parallel = jobs.value_or(processor_count());
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests(labels));
  TRY(ranking_of(session.line()));  // what is wrong with it is told before anything is done
  TRY_ASSIGN(const bool idle, still_up_to_date(session, reporter, labels, patterns));
  if (idle) return 0;
  const std::int64_t began_ns = session.host().clock.now_ns();

  Loaded loaded = load_graph(session, patterns);  // load, resolve
  if (!loaded.errors.empty()) return report_load_errors(session, reporter, std::move(loaded));
  TRY(check_ranking(session, loaded.graph, patterns));
  if (extent == Extent::kNeeds) leave_needs(loaded.graph);

  TRY_ASSIGN(const FileLock held, hold_workspace(session, FileLock::Mode::kShared, {}));
  TRY(session.open_state(State::Access::kWrite));
  TRY_ASSIGN(const std::uint64_t generation, session.state().generation());
  TRY_ASSIGN(const Rules* rules, session.rules());
  Errors wrong;
  for (Rule* rule : *rules) {
    const EventSink tell = [&](const Event& event) { reporter.event(event); };
    for (auto& error : rule->before_run(loaded.graph, tell)) wrong.push_back(std::move(error));
  }
  if (!wrong.empty()) return report_errors(session, reporter, wrong);
  const CommandLine& line = session.line();
  const Decider decider{loaded.graph, *rules, session.state(), {line.has("--force"), line.has("--retry")}};
  Plan plan = make_plan(decider, parallel);  // plan
  keep_digests(session, reporter);
  if (!plan.errors.empty()) return report_errors(session, reporter, plan.errors);

  // Until here nothing was changed, and Ctrl-C simply ends us; from here on it detaches.
  const Interrupts interrupts;
  record_ended_while_held(session, overtaken_runs(session, loaded.graph, plan), interrupts.first());
  Looks looks = std::move(loaded.looks);
  looks.add(std::move(plan.looks));
  SweepReport sweep(reporter, session.here());
  Reporter& told = is_sweep(session, patterns) ? sweep : reporter;
  const RunServices services{decider,
                             session.host().clock,
                             [&](const Event& event) { told.event(event); },
                             session.tally(),
                             step_locker(session),
                             [&] { reporter.tick(); },
                             onlooker_of_jobs(session)};
  const Summary summary = run(services, std::move(plan),
                              {parallel, line.has("--keep-going"), !line.has("--no-wait"), TRAINMAKE_VERSION},
                              interrupts.first());  // run, record

  keep_digests(session, reporter);
  keep_proof(session, labels, generation, std::move(looks), summary, began_ns);
  session.finish(reporter, summary);
  TRY(compare_jobs(session, patterns, summary));
  write_stderr(sweep.hint(line));
  return summary.exit_code;
}

}  // namespace

std::unique_ptr<Reporter> make_reporter(Session& session) {
  std::unique_ptr<Reporter> reporter;
  const std::optional<std::string> no_color = session.host().environment.get("NO_COLOR");
  const bool dumb = session.host().environment.get("TERM").value_or("dumb") == "dumb";
  if (session.json())
    reporter = make_json_reporter();
  else if (::isatty(STDERR_FILENO) != 0 && !dumb)
    reporter = make_live_reporter(session.here(), !no_color || no_color->empty());
  else
    reporter = make_plain_reporter(session.here());
  return reporter;
}

int build(Session& session, const std::vector<std::string>& labels, Extent extent) {
  std::unique_ptr<Reporter> reporter = make_reporter(session);
  const Result<void> traced = add_trace(session, reporter);
  const Result<int> code =
      traced ? build_with(session, labels, extent, *reporter) : Result<int>(fail(traced.error()));
  return code ? *code : report_errors(session, *reporter, {{code.error(), Label{}}});
}

}  // namespace trainmake
