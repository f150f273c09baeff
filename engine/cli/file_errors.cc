#include "engine/cli/file_errors.h"

#include "engine/base/threads.h"
#include "engine/plan/plan.h"

namespace trainmake {

std::vector<std::pair<Error, Label>> file_errors(Session& session, const Graph& graph) {
  if (graph.targets.empty() || !session.open_state(State::Access::kLook)) return {};
  const Result<const Rules*> rules = session.rules();
  if (!rules) return {};
  return make_plan({graph, **rules, session.state(), {}}, processor_count()).errors;
}

}  // namespace trainmake
