#include "engine/plan/plan.h"

#include <algorithm>
#include <utility>

#include "engine/base/threads.h"

namespace trainmake {
namespace {

// Inputs as far as a plan knows them: what is remembered for steps that will not run, what rules predict for
// those that will.
class PlannedInputs final : public Inputs {
 public:
  explicit PlannedInputs(const std::vector<PlannedStep>& steps) : steps_(steps) {}
  const Artifacts* artifacts(TargetId target) const override { return steps_[target].outcome(); }
  const std::any* carry(TargetId target) const override {
    const std::any& carry = steps_[target].description.carry;
    return carry.has_value() ? &carry : nullptr;
  }

 private:
  const std::vector<PlannedStep>& steps_;
};

bool is_asked(const Graph& graph, TargetId id) {
  return std::find(graph.asked.begin(), graph.asked.end(), id) != graph.asked.end();
}

// What needs a step that is not tried again may run, and will not before that one is.
void hold_up(std::vector<PlannedStep>& steps, const Target& target, PlannedStep& step) {
  if (!step.may_run()) return;
  for (const Dependency& need : target.needs) {
    const PlannedStep& below = steps[need.target];
    if (below.verdict == Verdict::kFailed) step.held_up_by = need.target;
    if (below.held_up_by) step.held_up_by = below.held_up_by;
    if (!step.held_up_by) continue;
    step.verdict = Verdict::kMaybe;
    return;
  }
}

Error located(Error error, const Target& target) {
  if (!error.where.known()) error.where = target.where;
  return error;
}

std::vector<ManifestLine> place_of(const Rule& rule, const Manifest& manifest) {
  std::vector<ManifestLine> lines;
  std::copy_if(manifest.lines().begin(), manifest.lines().end(), std::back_inserter(lines),
               [&](const ManifestLine& line) { return rule.says_where(line); });
  return lines;
}

// Since the last result of the same place, should the one that the label has now be of another.
Result<std::vector<Reason>> changes_since(Memory& memory, const Rule& rule, const Record& last,
                                          const Manifest& now) {
  const std::vector<ManifestLine> place = place_of(rule, now);
  if (place_of(rule, last.manifest) == place) return differences(last.manifest, now);
  TRY_ASSIGN(const std::optional<Record> there,
             memory.newest(last.label, [&](const Manifest& was) { return place_of(rule, was) == place; }));
  std::vector<Reason> reasons = differences(there ? there->manifest : last.manifest, now);
  return reasons.empty() ? differences(last.manifest, now) : std::move(reasons);
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  constexpr std::string_view kNames[] = {"run", "maybe", "up_to_date", "reuse", "failed"};
  return kNames[static_cast<std::size_t>(verdict)];
}

bool PlannedStep::may_run() const {
  return (verdict == Verdict::kRun || verdict == Verdict::kMaybe) && !held_up_by;
}

const Artifacts* PlannedStep::outcome() const {
  if (record) return &record->artifacts;
  if (verdict == Verdict::kRun && description.certain && !description.predicted.empty())
    return &description.predicted;
  return nullptr;
}

Result<PlannedStep> Decider::decide(const Subject& subject, Description description, Looks& looks) const {
  const Label& label = subject.target().label;
  Rule& rule = *rule_of(rules, label.kind);
  PlannedStep step;
  step.fingerprint = description.manifest.fingerprint();
  step.description = std::move(description);
  TRY_ASSIGN(step.generation,
             memory.generation());  // first, so that whatever is written from here on is seen
  TRY_ASSIGN(std::optional<Record> last, memory.last_in_brief(label));
  const auto differences_from_last = [&]() -> Result<std::vector<Reason>> {
    TRY_ASSIGN(const std::optional<Record> whole, memory.last(label));
    if (!whole) return std::vector<Reason>{};
    return changes_since(memory, rule, *whole, step.description.manifest);
  };
  if (options.force && is_asked(subject.graph, subject.id)) {
    step.afresh = true;
    step.reasons = {{ReasonKind::kForced, {}, ""}};
    return step;
  }
  if (!step.description.certain) {
    step.verdict = last ? Verdict::kMaybe : Verdict::kRun;
    step.reasons = {{ReasonKind::kNeverBuilt, {}, ""}};
    if (last) {
      TRY_ASSIGN(step.reasons, differences_from_last());
    }
    return step;
  }
  const bool current = last && last->fingerprint == step.fingerprint;
  bool missing = false;
  std::optional<Record> earlier;
  if (current) {
    earlier.swap(last);  // of which nothing more is asked
  } else {
    TRY_ASSIGN(earlier, memory.find(label, step.fingerprint));
  }
  if (earlier) {
    TRY_ASSIGN(const bool holds, rule.holds(subject, *earlier, current, looks));
    if (holds) {
      step.verdict = current ? Verdict::kUpToDate : Verdict::kReuse;
      step.record = std::move(earlier);
      if (!current) {
        TRY_ASSIGN(step.reasons, differences_from_last());
      }
      return step;
    }
    missing = true;
  }
  if (!options.retry) {
    TRY_ASSIGN(step.failure, rule.failed_before(subject, step.description));
    if (step.failure) {
      step.verdict = Verdict::kFailed;
      step.reasons = {{ReasonKind::kFailedBefore, {}, ""}};
      return step;
    }
  }
  step.description.looks = {};  // of no use when something will run, and large where there are many files
  if (missing && current) {
    step.reasons = {{ReasonKind::kOutputMissing, {}, ""}};
  } else if (last) {
    TRY_ASSIGN(step.reasons, differences_from_last());
  } else {
    step.reasons = {{ReasonKind::kNeverBuilt, {}, ""}};
  }
  return step;
}

std::optional<TargetId> Plan::failed() const {
  const auto found = std::find_if(steps.begin(), steps.end(),
                                  [](const PlannedStep& step) { return step.verdict == Verdict::kFailed; });
  return found == steps.end() ? std::nullopt : std::optional<TargetId>(found - steps.begin());
}

Plan make_plan(const Decider& decider, unsigned threads) {
  const Graph& graph = decider.graph;
  Plan plan;
  plan.steps.resize(graph.targets.size());
  const PlannedInputs inputs(plan.steps);
  std::vector<std::optional<Result<Description>>> early(graph.targets.size());
  std::vector<TargetId> leaves;
  for (TargetId id = 0; id < graph.targets.size(); ++id) {
    if (graph[id].needs.empty()) leaves.push_back(id);
  }
  parallel_for(leaves.size(), 16, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const Subject subject{graph, leaves[i], inputs};
      early[leaves[i]] = rule_of(decider.rules, subject.target().label.kind)->describe(subject);
    }
  });
  for (TargetId id = 0; id < graph.targets.size(); ++id) {
    const Subject subject{graph, id, inputs};
    const Label& label = subject.target().label;
    Result<Description> description =
        early[id] ? *std::move(early[id]) : rule_of(decider.rules, label.kind)->describe(subject);
    early[id].reset();
    Result<PlannedStep> step = description ? decider.decide(subject, *std::move(description), plan.looks)
                                           : Result<PlannedStep>(fail(std::move(description).error()));
    if (step) {
      plan.looks.add(std::move(step->description.looks));
      step->description.looks = {};
      hold_up(plan.steps, subject.target(), *step);
      plan.steps[id] = *std::move(step);
      if (!plan.steps[id].may_run()) continue;
      if (auto passed = rule_of(decider.rules, label.kind)->preflight(subject); !passed) {
        for (Error& error : each_of(std::move(passed).error()))
          plan.errors.emplace_back(located(std::move(error), subject.target()), label);
      }
    } else {
      plan.steps[id].description.certain = false;
      for (Error& error : each_of(std::move(step).error()))
        plan.errors.emplace_back(located(std::move(error), subject.target()), label);
    }
  }
  if (std::any_of(plan.steps.begin(), plan.steps.end(),
                  [](const PlannedStep& step) { return step.verdict == Verdict::kRun; }))
    plan.looks = {};
  return plan;
}

}  // namespace trainmake
