// A graph of fake targets, a memory and a clock: what tests of plan and run act in.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "engine/plan/plan.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_rule.h"
#include "tests/support/mem_memory.h"

namespace trainmake {

struct EngineWorld {
  FakeRule rule{"job"};
  Rules rules{&rule};
  MemMemory memory;
  FakeClock clock;
  Tally tally;
  Graph graph;

  // Targets in the order given, each after what it needs: {"b", {"a"}}. The last is asked for unless `asked`
  // says otherwise.
  EngineWorld(std::initializer_list<std::pair<std::string, std::vector<std::string>>> targets) {
    for (const auto& [name, needs] : targets) {
      Target target{{"", "job", name}, {}, {"TRAINFILE.lua", 1}, {}};
      for (const std::string& need : needs)
        target.needs.push_back({*graph.find({"", "job", need}), "needs", ""});
      graph.ids.emplace(target.label, static_cast<TargetId>(graph.targets.size()));
      graph.targets.push_back(std::move(target));
      rule.content[name] = "first";
    }
    graph.asked = {static_cast<TargetId>(graph.targets.size() - 1)};
  }

  static Label label(const std::string& name) { return {"", "job", name}; }
  TargetId id(const std::string& name) const { return *graph.find(label(name)); }
  Plan plan(PlanOptions options = {}) { return make_plan(Decider{graph, rules, memory, options}, 1); }
  Verdict verdict(const std::string& name, PlanOptions options = {}) {
    return plan(options).steps[id(name)].verdict;
  }
};

}  // namespace trainmake
