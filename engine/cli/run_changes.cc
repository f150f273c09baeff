#include "engine/cli/run_changes.h"

#include "engine/cli/reasons.h"
#include "engine/cli/run_inputs.h"

namespace trainmake {
namespace {

struct Comparison {
  const RunInputs& before;
  const RunInputs& now;
  std::vector<RunChange> changes;

  void add(const Label& label, const Manifest& was, const Manifest& is) {
    for (Reason& reason : telling(differences(was, is))) {
      if (reason.kind != ReasonKind::kUpstreamChanged || !look_into(reason.name))
        changes.push_back({label, std::move(reason)});
    }
  }

  // False when there is nothing to say of it beyond that it changed.
  bool look_into(const std::string& upstream) {
    const Record* was = before.find(upstream);
    const Record* is = now.find(upstream);
    if (was == nullptr || is == nullptr || was->fingerprint == is->fingerprint) return false;
    add(is->label, was->manifest, is->manifest);
    return true;
  }
};

}  // namespace

Result<std::vector<RunChange>> changes_between(State& state, const Run& before, const Run& now) {
  TRY_ASSIGN(const std::vector<RunInputs> inputs, inputs_of(state, {&before, &now}));
  Comparison comparison{inputs[0], inputs[1], {}};
  comparison.add(now.label, before.manifest, now.manifest);
  return std::move(comparison.changes);
}

}  // namespace trainmake
