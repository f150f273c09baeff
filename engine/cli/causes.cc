#include "engine/cli/causes.h"

#include <set>

#include "engine/cli/reasons.h"

namespace trainmake {
namespace {

std::vector<Reason> reasons_of(const Label& label, const PlannedStep& step, const RunInputs& before) {
  if (step.verdict != Verdict::kUpToDate) return telling(step.reasons);
  const Record* was = before.find(label.text());
  if (was == nullptr || !step.record) return {};
  return telling(differences(was->manifest, step.description.manifest));
}

}  // namespace

std::vector<Cause> causes_of(const Graph& graph, const Plan& plan, TargetId step, const RunInputs& before) {
  std::vector<Cause> causes;
  std::vector<Cause> waiting;  // the next one last
  std::set<TargetId> seen;
  const auto look_into = [&](TargetId id, std::size_t depth) {
    if (!seen.insert(id).second) return;
    std::vector<Reason> reasons = reasons_of(graph[id].label, plan.steps[id], before);
    for (; !reasons.empty(); reasons.pop_back()) waiting.push_back({id, depth, std::move(reasons.back())});
  };
  look_into(step, 0);
  while (!waiting.empty()) {
    causes.push_back(std::move(waiting.back()));
    waiting.pop_back();
    const Cause& cause = causes.back();
    if (cause.reason.kind != ReasonKind::kUpstreamChanged) continue;
    const Result<Label> label = parse_label(cause.reason.name, "");
    if (const std::optional<TargetId> id = label ? graph.find(*label) : std::nullopt)
      look_into(*id, cause.depth + 1);
  }
  return causes;
}

}  // namespace trainmake
