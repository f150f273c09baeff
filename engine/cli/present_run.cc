#include "engine/cli/present_run.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/cli/commands.h"
#include "engine/cli/live_run.h"
#include "engine/plan/plan.h"

namespace trainmake {
namespace {

// Nothing where the files are unsound, or something that the job needs would be made anew. In a session of
// its own: one that has rules keeps to its state.
std::optional<Fingerprint> present_fingerprint(Session& session, const Label& label) {
  const auto looking = Session::open(session.line(), session.host().environment);
  if (!looking) return std::nullopt;
  const auto patterns = (*looking)->requests({label.text()});
  if (!patterns) return std::nullopt;
  const Loaded loaded = load_graph(**looking, *patterns);
  if (!loaded.errors.empty() || loaded.graph.asked.size() != 1) return std::nullopt;
  if (!(*looking)->open_state(State::Access::kLook)) return std::nullopt;
  const auto rules = (*looking)->rules();
  if (!rules) return std::nullopt;
  const Plan plan = make_plan({loaded.graph, **rules, (*looking)->state(), {}}, processor_count());
  const PlannedStep& step = plan.steps[loaded.graph.asked.front()];
  if (!plan.errors.empty() || !step.description.certain) return std::nullopt;
  return step.fingerprint;
}

std::string listed(const std::vector<Run>& runs) {
  std::string text;
  for (const Run& run : runs) text += cat(text.empty() ? "" : ", ", quoted(run.id));
  return text;
}

// Its own before one that repeats a run.
const Run* with_fingerprint(const std::vector<Run>& runs, const Fingerprint& fingerprint) {
  const Run* found = nullptr;
  for (const Run& run : runs) {
    if (run.fingerprint != fingerprint) continue;
    if (found == nullptr || (!found->repeats.empty() && run.repeats.empty())) found = &run;
  }
  return found;
}

}  // namespace

Result<Run> find_run_going_on(Session& session, const std::string& word, WhichRun which,
                              OfSeveral of_several) {
  if (!is_label_like(word)) return find_run(session, word, which);
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests({word}));
  if (!patterns.front().is_label()) return find_run(session, word, which);
  const Label label = patterns.front().label();
  TRY_ASSIGN(std::vector<Run> runs, session.state().in_flight());
  std::erase_if(runs, [&](const Run& run) { return run.label != label; });
  if (runs.size() < 2) return find_run(session, word, which);
  const std::vector<Run> now = live(session, runs, patience_of_looking({}));
  std::erase_if(runs, [&](const Run& run) {
    return std::any_of(now.begin(), now.end(),
                       [&](const Run& other) { return other.id == run.id && is_over(other.status); });
  });
  if (runs.empty()) return find_run(session, word, which);
  if (runs.size() == 1) return std::move(runs.front());
  const std::optional<Fingerprint> present = present_fingerprint(session, label);
  const Run* meant = present ? with_fingerprint(runs, *present) : nullptr;
  if (meant != nullptr) return *meant;
  const std::string several = cat(runs.size(), " runs of ", quoted(session.shown(label)), " go on, ");
  if (of_several == OfSeveral::kOne)
    return fail(user_error(cat(several, "and none is of the job as its files have it now: ", listed(runs)),
                           "Name one by its id; `trainmake ps` says how they differ"));
  write_stderr(cat(several, listed(runs), "; this is the latest\n"));
  return std::move(runs.front());
}

}  // namespace trainmake
