// `plan` and `why`: what would happen, and why. They change nothing, wait for nobody, and
// work where nothing can be written.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/reasons.h"
#include "engine/plan/plan.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownReasons = 5;

struct Planned {
  Graph graph;
  Plan plan;
};

Result<Planned> make(const Call& call, const std::vector<std::string>& words) {
  Session& session = call.session;
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests(words));
  TRY_ASSIGN(Loaded loaded, load_or_fail(call, patterns));
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(const Rules* rules, session.rules());
  Planned planned{std::move(loaded.graph), {}};
  const Decider decider{
      planned.graph, *rules, session.state(), {session.line().has("--force"), session.line().has("--retry")}};
  planned.plan = make_plan(decider, processor_count());
  if (planned.plan.errors.empty()) return planned;
  const std::unique_ptr<Reporter> reporter =
      session.json() ? make_json_reporter() : make_plain_reporter(session.here());
  for (std::size_t i = 0; i + 1 < planned.plan.errors.size(); ++i)
    reporter->event(Problem{planned.plan.errors[i].first, planned.plan.errors[i].second});
  return fail(planned.plan.errors.back().first);
}

bool may_run(const PlannedStep& step) {
  return step.verdict == Verdict::kRun || step.verdict == Verdict::kMaybe;
}

struct Totals {
  std::array<std::uint64_t, 5> verdicts{};
  std::uint64_t objects = 0, bytes = 0, layers = 0, jobs = 0;
};

Totals totals_of(const Plan& plan) {
  Totals totals;
  for (const PlannedStep& step : plan.steps) {
    ++totals.verdicts[static_cast<std::size_t>(step.verdict)];
    if (!may_run(step)) continue;
    totals.objects += step.description.work.objects;
    totals.bytes += step.description.work.object_bytes + step.description.work.layer_bytes;
    totals.layers += step.description.work.layers;
    totals.jobs += step.description.work.jobs;
  }
  return totals;
}

Json plan_json(const Planned& planned) {
  Json json = {{"steps", Json::array()}, {"totals", Json::object()}};
  for (TargetId id = 0; id < planned.plan.steps.size(); ++id) {
    const PlannedStep& step = planned.plan.steps[id];
    const Label& label = planned.graph[id].label;
    const Work work = may_run(step) ? step.description.work : Work{};
    json["steps"].push_back({{"label", label.text()},
                             {"kind", label.kind},
                             {"verdict", name_of(step.verdict)},
                             {"reasons", reasons_json(step.reasons)},
                             {"uploads", {{"objects", work.objects}, {"bytes", work.object_bytes}}},
                             {"pushes", {{"layers", work.layers}, {"bytes", work.layer_bytes}}}});
  }
  const Totals totals = totals_of(planned.plan);
  Json& sums = json["totals"];
  for (std::size_t i = 0; i < totals.verdicts.size(); ++i)
    sums[std::string(name_of(static_cast<Verdict>(i)))] = totals.verdicts[i];
  sums["objects"] = totals.objects;
  sums["bytes"] = totals.bytes;
  sums["layers"] = totals.layers;
  sums["jobs"] = totals.jobs;
  return json;
}

std::string reasons_text(const std::vector<Reason>& reasons, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < reasons.size() && i < most; ++i)
    text += cat(text.empty() ? "" : ", ", reason_text(reasons[i]));
  if (reasons.size() > most) text += cat(", and ", reasons.size() - most, " more");
  return text;
}

std::string_view verdict_text(Verdict verdict) {
  constexpr std::string_view kTexts[] = {"will run", "may run", "up to date", "will be reused",
                                         "failed before"};
  return kTexts[static_cast<std::size_t>(verdict)];
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string plan_text(const Session& session, const Planned& planned) {
  std::size_t width = 0;
  for (const Target& target : planned.graph.targets)
    width = std::max(width, session.shown(target.label).size());
  std::string text;
  for (TargetId id = 0; id < planned.plan.steps.size(); ++id) {
    const PlannedStep& step = planned.plan.steps[id];
    if (step.verdict == Verdict::kUpToDate) continue;
    text += cat(padded(session.shown(planned.graph[id].label), width), "  ",
                padded(std::string(verdict_text(step.verdict)), 14), "  ",
                reasons_text(telling(step.reasons), kShownReasons), "\n");
  }
  const Totals totals = totals_of(planned.plan);
  const std::uint64_t same = totals.verdicts[static_cast<std::size_t>(Verdict::kUpToDate)];
  if (text.empty()) return "nothing to do\n";
  return cat(text, plural(totals.layers, "layer"), ", ", plural(totals.objects, "object"), ", ",
             human_bytes(totals.bytes), ", ", plural(totals.jobs, "job"), " at most; ", same,
             " up to date\n");
}

}  // namespace

Result<int> plan_command(const Call& call) {
  const std::vector<std::string>& words = call.session.line().words;
  if (words.empty())
    return fail(user_error("`trainmake plan` needs a label", "`trainmake plan //...` plans everything"));
  TRY_ASSIGN(const Planned planned, make(call, words));
  write_stdout(call.session.json() ? plan_json(planned).dump() + "\n" : plan_text(call.session, planned));
  return 0;
}

Result<int> why_command(const Call& call) {
  const std::vector<std::string>& words = call.session.line().words;
  if (words.empty()) return fail(user_error("`trainmake why` needs a label", "As `trainmake why job:mnist`"));
  if (!is_label_like(words.front())) return why_run_command(call);
  TRY_ASSIGN(const Planned planned, make(call, words));
  for (const TargetId id : planned.graph.asked) {
    const PlannedStep& step = planned.plan.steps[id];
    const Label& label = planned.graph[id].label;
    const std::vector<Reason> reasons = telling(step.reasons);
    if (call.session.json()) {
      write_stdout(Json{{"label", label.text()},
                        {"verdict", name_of(step.verdict)},
                        {"reasons", reasons_json(reasons)}}
                       .dump() +
                   "\n");
      continue;
    }
    write_stdout(cat(call.session.shown(label), ": ", verdict_text(step.verdict), "\n"));
    for (const Reason& reason : reasons)
      write_stdout(cat("  ", reason_text(reason),
                       reason.section ? cat(" (", name_of(*reason.section), ")") : std::string(), "\n"));
  }
  return 0;
}

}  // namespace trainmake
