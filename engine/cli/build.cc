#include "engine/cli/build.h"

#include <unistd.h>

#include "cache/proof.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/cli/file_errors.h"
#include "engine/cli/hold.h"
#include "engine/cli/interrupt.h"
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
std::string request_key(const Session& session) {
  std::string key = cat(TRAINMAKE_VERSION, "\n", session.position().current, "\n",
                        session.line().value("--platform").value_or(""), "\n");
  for (const std::string& word : session.line().words) key += word + "\n";
  return key;
}

bool wants_work(const CommandLine& line) { return line.has("--force") || line.has("--retry"); }

// The quickest way to nothing to do: what was looked at when it was last found so is as it was.
Result<bool> still_up_to_date(Session& session, Reporter& reporter) {
  if (wants_work(session.line())) return false;
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(const std::uint64_t generation, session.state().generation());
  std::optional<ProofHolds> proof = check_proof(session.host(), session.workspace().root,
                                                session.workspace().cache, request_key(session), generation);
  if (!proof) return false;
  Summary summary;
  summary.of(Outcome::kUpToDate) = std::move(proof->up_to_date);
  session.tally().stats_files += proof->looked_at;
  session.finish(reporter, std::move(summary));
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
  return [&session](const Label& label) { return try_hold_step(session, label); };
}

// Losing what was hashed costs time alone, so it is told and decides nothing.
void keep_digests(Session& session, Reporter& reporter) {
  if (const Result<void> saved = session.digests().save(); !saved) {
    reporter.event(Message{{}, cat("what was hashed could not be kept: ", saved.error().message)});
  }
}

void keep_proof(Session& session, std::uint64_t generation, Looks looks, const Summary& summary,
                std::int64_t looked_at_ns) {
  if (looks.asked || summary.exit_code != 0 || summary.of(Outcome::kUpToDate).empty()) return;
  for (const Outcome outcome :
       {Outcome::kRan, Outcome::kReused, Outcome::kFailed, Outcome::kSkipped, Outcome::kDetached}) {
    if (!summary.of(outcome).empty()) return;
  }
  // Losing a proof costs time alone.
  (void)save_proof(session.host(), session.workspace().cache, request_key(session),
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

Result<int> build_with(Session& session, Reporter& reporter) {
  TRY_ASSIGN(const std::optional<unsigned> jobs, jobs_of(session.line()));
  const unsigned parallel = jobs.value_or(processor_count());
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests(session.line().words));
  TRY_ASSIGN(const bool idle, still_up_to_date(session, reporter));
  if (idle) return 0;
  const std::int64_t began_ns = session.host().clock.now_ns();

  Loaded loaded = load_graph(session, patterns);  // load, resolve
  if (!loaded.errors.empty()) return report_load_errors(session, reporter, std::move(loaded));

  TRY_ASSIGN(const FileLock held, hold_workspace(session, FileLock::Mode::kShared, {}));
  TRY(session.open_state(State::Access::kWrite));
  TRY_ASSIGN(const std::uint64_t generation, session.state().generation());
  TRY_ASSIGN(const Rules* rules, session.rules());
  Errors unsettled;
  for (Rule* rule : *rules) {
    const EventSink tell = [&](const Event& event) { reporter.event(event); };
    for (auto& error : rule->settle(loaded.graph, tell)) unsettled.push_back(std::move(error));
  }
  if (!unsettled.empty()) return report_errors(session, reporter, unsettled);
  const CommandLine& line = session.line();
  const Decider decider{loaded.graph, *rules, session.state(), {line.has("--force"), line.has("--retry")}};
  Plan plan = make_plan(decider, parallel);  // plan
  keep_digests(session, reporter);
  if (!plan.errors.empty()) return report_errors(session, reporter, plan.errors);

  // Until here nothing was changed, and Ctrl-C simply ends us; from here on it detaches.
  const Interrupts interrupts;
  Looks looks = std::move(plan.looks);
  looks.add(loaded.looks);
  const RunServices services{
      decider,         session.host().clock, [&](const Event& event) { reporter.event(event); },
      session.tally(), step_locker(session), [&] { reporter.tick(); }};
  const Summary summary = run(services, std::move(plan),
                              {parallel, line.has("--keep-going"), !line.has("--no-wait"), TRAINMAKE_VERSION},
                              interrupts.first());  // run, record

  keep_digests(session, reporter);
  keep_proof(session, generation, std::move(looks), summary, began_ns);
  session.finish(reporter, summary);
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

int build(Session& session) {
  std::unique_ptr<Reporter> reporter = make_reporter(session);
  const Result<void> traced = add_trace(session, reporter);
  const Result<int> code = traced ? build_with(session, *reporter) : Result<int>(fail(traced.error()));
  return code ? *code : report_errors(session, *reporter, {{code.error(), Label{}}});
}

}  // namespace trainmake
