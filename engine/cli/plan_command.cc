// `plan` and `why`: what would happen, and why. They change nothing, wait for nobody, and
// work where nothing can be written.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/cli/causes.h"
#include "engine/cli/commands.h"
#include "engine/cli/file_errors.h"
#include "engine/cli/find_run.h"
#include "engine/cli/live_run.h"
#include "engine/cli/reasons.h"
#include "engine/cli/run_json.h"
#include "engine/plan/plan.h"
#include "rules/job/checkpoint.h"
#include "rules/job/job_schema.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownReasons = 5;

struct Planned {
  Graph graph;
  Plan plan;
  std::map<TargetId, std::string> in_flight = {};  // the runs that will be waited for
};

Result<void> find_in_flight(Session& session, Planned& planned) {
  for (TargetId id = 0; id < planned.plan.steps.size(); ++id) {
    const PlannedStep& step = planned.plan.steps[id];
    if (!step.may_run() || !step.description.certain || step.description.work.jobs == 0) continue;
    TRY_ASSIGN(const std::optional<Run> run,
               run_in_flight(session, planned.graph[id].label, step.description.manifest));
    if (run) planned.in_flight.emplace(id, run->id);
  }
  return {};
}

Result<Planned> make(const Call& call, const std::vector<std::string>& words) {
  Session& session = call.session;
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests(words));
  Loaded loaded = load_graph(session, patterns);
  if (!loaded.errors.empty()) {
    for (auto& [error, label] : file_errors(session, loaded.graph)) loaded.errors.push_back(std::move(error));
    return fail_with(call, std::move(loaded.errors));
  }
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(const Rules* rules, session.rules());
  Planned planned{std::move(loaded.graph), {}};
  const Decider decider{
      planned.graph, *rules, session.state(), {session.line().has("--force"), session.line().has("--retry")}};
  planned.plan = make_plan(decider, processor_count());
  if (planned.plan.errors.empty()) {
    TRY(find_in_flight(session, planned));
    return planned;
  }
  const std::unique_ptr<Reporter> reporter =
      session.json() ? make_json_reporter() : make_plain_reporter(session.here());
  for (std::size_t i = 0; i + 1 < planned.plan.errors.size(); ++i)
    reporter->event(Problem{planned.plan.errors[i].first, planned.plan.errors[i].second});
  return fail(planned.plan.errors.back().first);
}

struct Totals {
  std::array<std::uint64_t, 5> verdicts{};
  std::uint64_t objects = 0, bytes = 0, removals = 0, layers = 0, jobs = 0;
};

Totals totals_of(const Planned& planned) {
  Totals totals;
  for (TargetId id = 0; id < planned.plan.steps.size(); ++id) {
    const PlannedStep& step = planned.plan.steps[id];
    ++totals.verdicts[static_cast<std::size_t>(step.verdict)];
    if (!step.may_run()) continue;
    totals.objects += step.description.work.objects;
    totals.bytes += step.description.work.object_bytes + step.description.work.layer_bytes;
    totals.removals += step.description.work.removals;
    totals.layers += step.description.work.layers;
    if (!planned.in_flight.contains(id)) totals.jobs += step.description.work.jobs;
  }
  return totals;
}

Json in_flight_json(const Planned& planned, TargetId id) {
  const auto found = planned.in_flight.find(id);
  return found == planned.in_flight.end() ? Json() : Json(found->second);
}

Json held_up_json(const Planned& planned, TargetId id) {
  const std::optional<TargetId>& failed = planned.plan.steps[id].held_up_by;
  return failed ? Json(planned.graph[*failed].label.text()) : Json();
}

// The failed step for which a run would leave out steps that do not need it; nullptr when there are none.
const Label* what_stops_others(const Session& session, const Planned& planned) {
  const std::vector<PlannedStep>& steps = planned.plan.steps;
  const bool others = std::any_of(steps.begin(), steps.end(), [](const PlannedStep& step) {
    return step.may_run() || step.verdict == Verdict::kReuse;
  });
  const std::optional<TargetId> failed = planned.plan.failed();
  return !others || !failed || session.line().has("--keep-going") ? nullptr : &planned.graph[*failed].label;
}

Json plan_json(const Session& session, const Planned& planned) {
  Json json = {{"steps", Json::array()}, {"totals", Json::object()}};
  for (TargetId id = 0; id < planned.plan.steps.size(); ++id) {
    const PlannedStep& step = planned.plan.steps[id];
    const Label& label = planned.graph[id].label;
    const Work work = step.may_run() ? step.description.work : Work{};
    json["steps"].push_back({{"label", label.text()},
                             {"kind", label.kind},
                             {"verdict", name_of(step.verdict)},
                             {"reasons", reasons_json(step.reasons)},
                             {"uploads", {{"objects", work.objects}, {"bytes", work.object_bytes}}},
                             {"removals", {{"objects", work.removals}}},
                             {"pushes", {{"layers", work.layers}, {"bytes", work.layer_bytes}}},
                             {"in_flight", in_flight_json(planned, id)},
                             {"held_up_by", held_up_json(planned, id)}});
  }
  const Totals totals = totals_of(planned);
  Json& sums = json["totals"];
  for (std::size_t i = 0; i < totals.verdicts.size(); ++i)
    sums[std::string(name_of(static_cast<Verdict>(i)))] = totals.verdicts[i];
  sums["objects"] = totals.objects;
  sums["bytes"] = totals.bytes;
  sums["removals"] = totals.removals;
  sums["layers"] = totals.layers;
  sums["jobs"] = totals.jobs;
  const Label* stops_others = what_stops_others(session, planned);
  json["stopped_by"] = stops_others == nullptr ? Json() : Json(stops_others->text());
  return json;
}

std::string reasons_text(const std::vector<Reason>& reasons, std::size_t most, std::string_view here) {
  std::string text;
  for (std::size_t i = 0; i < reasons.size() && i < most; ++i)
    text += cat(text.empty() ? "" : ", ", reason_text(reasons[i], here));
  if (reasons.size() > most) text += cat(", and ", reasons.size() - most, " more");
  return text;
}

std::string verdict_text(const Session& session, const Planned& planned, TargetId id) {
  constexpr std::string_view kTexts[] = {"will run", "may run", "up to date", "will be reused",
                                         "failed before"};
  const auto run = planned.in_flight.find(id);
  if (run != planned.in_flight.end()) return cat("in flight as run ", run->second);
  if (const std::optional<TargetId>& failed = planned.plan.steps[id].held_up_by)
    return cat("will be skipped: ", session.shown(planned.graph[*failed].label), " failed before");
  return std::string(kTexts[static_cast<std::size_t>(planned.plan.steps[id].verdict)]);
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
                padded(verdict_text(session, planned, id), 14), "  ",
                reasons_text(telling(step.reasons), kShownReasons, session.here()), "\n");
  }
  const Totals totals = totals_of(planned);
  const std::uint64_t same = totals.verdicts[static_cast<std::size_t>(Verdict::kUpToDate)];
  if (text.empty()) return "nothing to do\n";
  if (const Label* failed = what_stops_others(session, planned))
    text += cat("nothing else is begun while ", session.shown(*failed),
                " counts as failed: `-k` goes on with the rest, `--retry` tries it again\n");
  return cat(text, plural(totals.layers, "layer"), ", ", plural(totals.objects, "object"), ", ",
             human_bytes(totals.bytes),
             totals.removals == 0 ? "" : cat(", ", plural(totals.removals, "object"), " to remove"), ", ",
             plural(totals.jobs, "job"), " at most; ", same, " up to date\n");
}

// What the step's last result was made from; empty when it was no run's, or that is forgotten.
Result<RunInputs> inputs_before(Session& session, const Label& label) {
  TRY_ASSIGN(const std::optional<Record> last, session.state().last(label));
  if (!last || last->run.empty()) return RunInputs();
  TRY_ASSIGN(const std::optional<Run> run, session.state().get(last->run));
  if (!run) return RunInputs();
  TRY_ASSIGN(std::vector<RunInputs> inputs, inputs_of(session.state(), {&*run}));
  return std::move(inputs.front());
}

// The run that the step's result is of, or that will be waited for; "" when there is neither.
std::string run_of(const Planned& planned, TargetId id) {
  const PlannedStep& step = planned.plan.steps[id];
  const auto in_flight = planned.in_flight.find(id);
  if (in_flight != planned.in_flight.end()) return in_flight->second;
  return step.record ? step.record->run : "";
}

// What that run went on from, or else what the next one would, as far as that is kept.
Result<std::optional<ToldCheckpoint>> checkpoint_for(Session& session, const Planned& planned, TargetId id) {
  const Target& target = planned.graph[id];
  std::optional<ToldCheckpoint> none;
  if (target.label.kind != "job") return none;
  if (const std::string run_id = run_of(planned, id); !run_id.empty()) {
    TRY_ASSIGN(const std::optional<Run> run, session.state().get(run_id));
    return run ? told_resumed(*run) : none;
  }
  if (!resumes(target)) return none;
  TRY_ASSIGN(const std::vector<Run> runs, session.state().of(target.label));
  for (const Run& run : runs) {
    std::optional<ToldCheckpoint> left = is_over(run.status) ? told_left(run) : none;
    if (!left) continue;
    left->run = run.id;
    return left;
  }
  return none;
}

Json why_json(const Planned& planned, TargetId id, const std::vector<Cause>& causes,
              const std::optional<ToldCheckpoint>& checkpoint) {
  const PlannedStep& step = planned.plan.steps[id];
  Json upstream = Json::array();
  std::map<TargetId, std::vector<Reason>> reasons;
  std::vector<TargetId> order;
  for (const Cause& cause : causes) {
    if (cause.depth == 0) continue;
    std::vector<Reason>& of = reasons[cause.of];
    if (of.empty()) order.push_back(cause.of);
    of.push_back(cause.reason);
  }
  for (const TargetId each : order)
    upstream.push_back(
        {{"label", planned.graph[each].label.text()}, {"reasons", reasons_json(reasons[each])}});
  return {{"label", planned.graph[id].label.text()},        {"verdict", name_of(step.verdict)},
          {"reasons", reasons_json(telling(step.reasons))}, {"upstream", std::move(upstream)},
          {"in_flight", in_flight_json(planned, id)},       {"held_up_by", held_up_json(planned, id)},
          {"checkpoint", checkpoint_json(checkpoint)}};
}

std::string checkpoint_text(const Planned& planned, TargetId id,
                            const std::optional<ToldCheckpoint>& checkpoint) {
  if (!checkpoint) return {};
  const std::string run = run_of(planned, id);
  return cat("  ", run.empty() ? "will go on" : cat("run ", run, " went on"), " from the checkpoint of run ",
             checkpoint->run, " (", size_text(*checkpoint), ")\n");
}

std::string platform_flag(const CommandLine& line) {
  const std::optional<std::string> given = line.value("--platform");
  return given ? cat(" --platform ", shell_word(*given)) : std::string();
}

// Of what lies upstream a few reasons are told; asked of itself it tells all.
std::string why_text(const Session& session, const Planned& planned, TargetId id,
                     const std::vector<Cause>& causes) {
  std::string text =
      cat(session.shown(planned.graph[id].label), ": ", verdict_text(session, planned, id), "\n");
  std::map<TargetId, std::size_t> told;
  for (const Cause& cause : causes) {
    const bool is_end = cause.reason.kind != ReasonKind::kUpstreamChanged;
    const std::string margin(2 * cause.depth + 2, ' ');
    if (cause.depth > 0 && is_end && ++told[cause.of] > kShownReasons) {
      if (told[cause.of] == kShownReasons + 1)
        text +=
            cat(margin, "and more; `trainmake why ", shell_word(session.shown(planned.graph[cause.of].label)),
                platform_flag(session.line()), "` lists them\n");
      continue;
    }
    text += cat(margin, reason_text(cause.reason, session.here()),
                cause.reason.section ? cat(" (", name_of(*cause.reason.section), ")") : std::string(), "\n");
  }
  return text;
}

}  // namespace

Result<int> plan_command(const Call& call) {
  const std::vector<std::string>& words = call.session.line().words;
  if (words.empty())
    return fail(user_error("`trainmake plan` needs a label", "`trainmake plan //...` plans everything"));
  TRY_ASSIGN(const Planned planned, make(call, words));
  write_stdout(call.session.json() ? plan_json(call.session, planned).dump() + "\n"
                                   : plan_text(call.session, planned));
  return 0;
}

Result<int> why_command(const Call& call) {
  const std::vector<std::string>& words = call.session.line().words;
  if (words.empty()) return fail(user_error("`trainmake why` needs a label", "As `trainmake why job:mnist`"));
  if (!is_label_like(words.front())) return why_run_command(call);
  TRY_ASSIGN(const Planned planned, make(call, words));
  for (const TargetId id : planned.graph.asked) {
    TRY_ASSIGN(const RunInputs before, inputs_before(call.session, planned.graph[id].label));
    const std::vector<Cause> causes = causes_of(planned.graph, planned.plan, id, before);
    TRY_ASSIGN(const std::optional<ToldCheckpoint> checkpoint, checkpoint_for(call.session, planned, id));
    write_stdout(call.session.json() ? why_json(planned, id, causes, checkpoint).dump() + "\n"
                                     : cat(why_text(call.session, planned, id, causes),
                                           checkpoint_text(planned, id, checkpoint)));
  }
  return 0;
}

}  // namespace trainmake
