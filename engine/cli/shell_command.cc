// `run --shell`: what a job needs is brought up to date, and a shell takes the place of its command. Nothing
// of it is remembered.
#include "engine/base/secrets.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/cli/build.h"
#include "engine/cli/commands.h"
#include "engine/plan/plan.h"
#include "rules/job/job_rule.h"
#include "rules/job/platforms/local/local_platform.h"

namespace trainmake {
namespace {

// What those of a plan that are up to date left.
class PlannedResults final : public Inputs {
 public:
  explicit PlannedResults(const Plan& plan) : plan_(plan) {}
  const Artifacts* artifacts(TargetId target) const override { return plan_.steps[target].outcome(); }
  const std::any* carry(TargetId target) const override {
    const std::any& carry = plan_.steps[target].description.carry;
    return carry.has_value() ? &carry : nullptr;
  }

 private:
  const Plan& plan_;
};

Result<TargetId> the_job(Session& session, const Loaded& loaded) {
  const std::vector<TargetId>& asked = loaded.graph.asked;
  if (asked.size() != 1 || loaded.graph[asked.front()].label.kind != "job")
    return fail(user_error(cat("A shell is for one job, and ", join(session.line().words, " "), " is ",
                               asked.size() == 1 ? "none" : cat(asked.size(), " targets")),
                           "As `trainmake run --shell job:mnist`"));
  return asked.front();
}

Result<LocalPlatform*> this_machine(Session& session) {
  TRY_ASSIGN(Platform * platform, session.platform());
  if (auto* local = dynamic_cast<LocalPlatform*>(platform)) return local;
  TRY_ASSIGN(const std::string name, session.platform_name());
  return fail(user_error(cat("A shell is opened on this machine, and platform ", quoted(name), " is not"),
                         cat("`trainmake run --local --shell ", shell_word(join(session.line().words, " ")),
                             "` opens it here")));
}

Result<JobSpec> spec_of(Session& session, const Loaded& loaded, TargetId job, const EventSink& events) {
  TRY_ASSIGN(const Rules* rules, session.rules());
  const Plan plan = make_plan({loaded.graph, *rules, session.state(), {}}, processor_count());
  if (!plan.errors.empty()) return fail(plan.errors.front().first);
  const PlannedResults results(plan);
  for (const Dependency& need : loaded.graph[job].needs) {
    if (results.artifacts(need.target) != nullptr) continue;
    return fail(step_error(cat(quoted(session.shown(loaded.graph[need.target].label)), " changed meanwhile"),
                           "Try again"));
  }
  auto* rule = dynamic_cast<JobRule*>(rule_of(*rules, "job"));
  CHECK(rule != nullptr);
  Tally tally;
  return rule->spec_of({loaded.graph, job, results}, {{}, {}, events, tally, nullptr});
}

}  // namespace

Result<int> shell_command(const Call& call) {
  Session& session = call.session;
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests(session.line().words));
  TRY_ASSIGN(const Loaded loaded, load_or_fail(call, patterns));
  TRY_ASSIGN(const TargetId job, the_job(session, loaded));
  TRY_ASSIGN(LocalPlatform * here, this_machine(session));
  if (const int code = build(session, {loaded.graph[job].label.text()}, Extent::kNeeds); code != 0)
    return code;
  const auto tell = [](const std::string& text) { write_stderr(cat(text, "\n")); };
  const EventSink events = [&](const Event& event) {
    if (const auto* message = std::get_if<Message>(&event)) tell(message->text);
  };
  TRY_ASSIGN(JobSpec spec, spec_of(session, loaded, job, events));
  TRY_ASSIGN(const Secrets secrets,
             secrets_of(session.host().environment, spec.secrets, session.shown(loaded.graph[job].label)));
  tell(cat("A shell where ", session.shown(loaded.graph[job].label),
           " would run; what is written there goes with it"));
  return here->shell(std::move(spec), secrets, tell);
}

}  // namespace trainmake
