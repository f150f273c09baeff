#include "engine/cli/finish_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/find_run.h"
#include "engine/cli/hold.h"
#include "engine/cli/live_run.h"
#include "engine/cli/report.h"
#include "rules/all.h"
#include "rules/job/attempt.h"
#include "rules/job/outputs.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

Error not_known(Session& session, const Run& run) {
  return step_error(
      cat("What run ", quoted(run.id), " was given is not remembered any more, so its end cannot be"),
      cat("`trainmake ", asked_again(session, run), "` runs it again, `trainmake cancel ", run.id,
          "` ends it"));
}

// As much of it as an attempt needs that hands nothing over.
Result<JobPlan> plan_of(Session& session, const Run& run) {
  const Json provenance = parse_json<Json>(run.provenance_json);
  JobPlan plan;
  plan.shortest = session.shown(run.label);
  if (!provenance.is_object() || !provenance.contains("outputs") || !provenance["outputs"].is_object())
    return fail(not_known(session, run));
  for (const auto& [name, path] : provenance["outputs"].items()) {
    if (path.is_string()) plan.spec.outputs[name] = path.get<std::string>();
  }
  for (const Json& name : provenance.contains("secrets") ? provenance["secrets"] : Json::array()) {
    if (name.is_string()) plan.spec.secrets.push_back(name.get<std::string>());
  }
  return plan;
}

// Its result is the label's, as it would have been; unless something newer is already.
Result<void> remember_result(Session& session, const Run& run) {
  return session.state().remember_late({run.label, run.fingerprint, run.manifest, artifacts_of(run.outputs),
                                        run.created_ns, TRAINMAKE_VERSION, run.id});
}

class Silent final : public Reporter {
 public:
  void event(const Event&) override {}
  void finished(const Summary&, const Tally&) override {}
};

// The run as it is remembered, with its step held; nothing when somebody else sees or saw to it.
struct Held {
  FileLock step;
  Run run;
};
std::optional<Held> hold_unrecorded(Session& session, const Run& seen) {
  auto step = try_hold_run(session, seen);
  if (!step || !*step) return std::nullopt;
  auto run = session.state().get(seen.id);
  if (!run || !*run || is_over((*run)->status)) return std::nullopt;
  return Held{**std::move(step), **std::move(run)};
}

// An end that is remembered is no error of the one who looks, whether it is one to be glad of or not.
void record_end(Session& session, const Run& seen, std::vector<Error>& errors, const std::stop_token& stop) {
  const std::optional<Held> held = hold_unrecorded(session, seen);
  if (!held) return;
  Silent reporter;
  Result<bool> finished = finish_run(session, held->run, reporter, stop);
  const auto now = session.state().get(seen.id);
  const bool told = now && *now && is_over((*now)->status) &&
                    ((*now)->status != RunStatus::kSucceeded || !(*now)->reusable);
  if (!finished && !told) errors.push_back(std::move(finished).error());
}

void tell_of_ends(Session& session, const std::vector<Run>& ended) {
  if (ended.size() == 1)
    write_stderr(cat("run ", ended.front().id, " of ", session.shown(ended.front().label),
                     " has ended: keeping what it left\n"));
  else
    write_stderr(
        cat(ended.size(), " runs have ended: keeping what they left; `trainmake show RUN` tells of one\n"));
}

// Of those that go on as far as is remembered.
std::vector<Run> ended_of(Session& session, const std::vector<Run>& runs, const std::stop_token& stop) {
  std::vector<Run> ended;
  for (const Run& run : runs) {
    if (is_over(run.status)) continue;
    const RunStatus now = live(session, run, patience_of_looking(stop)).status;
    if (is_over(now) && now != RunStatus::kLost) ended.push_back(run);
  }
  return ended;
}

void record_ends(Session& session, std::vector<Run> ended, const std::stop_token& stop) {
  std::erase_if(ended, [&](const Run& run) { return !hold_unrecorded(session, run); });
  if (ended.empty()) return;
  tell_of_ends(session, ended);
  std::vector<Error> errors;
  for (const Run& run : ended) record_end(session, run, errors, stop);
  if (errors.empty()) return;
  write_stderr(error_text(errors.front()));
  if (errors.size() > 1)
    write_stderr(cat("and ", plural(errors.size() - 1, "other run"),
                     " whose end could not be kept; `trainmake attach RUN` tells of one\n"));
}

}  // namespace

Result<bool> finish_run(Session& session, const Run& run, Reporter& reporter, std::stop_token stop) {
  TRY_ASSIGN(Platform * platform, platform_of(session, run));
  TRY_ASSIGN(const Space* space, session.space());
  TRY_ASSIGN(const JobPlan plan, plan_of(session, run));
  JobServices services{session.host(),    session.workspace(), *space,    run.platform,     session.blobs(),
                       session.digests(), session.state(),     *platform, TRAINMAKE_VERSION};
  services.is_as_marked =
      mark_checker(session.host(), session.workspace(), *space, session.tally(), run.platform);
  const Doing doing{run.fingerprint, std::move(stop), [&](const Event& event) { reporter.event(event); },
                    session.tally(), [](const std::function<void()>& work) { work(); }};
  Listings listings(session.blobs());
  TRY_ASSIGN(std::optional<std::vector<GivenTree>> given, data_given_to(listings, run));
  if (!given) return fail(not_known(session, run));
  Attempt attempt(services, plan, doing, metrics_declared_of(run), std::move(given), run);
  TRY_ASSIGN(const bool over, attempt.watch());
  if (!over) return false;
  TRY(attempt.conclude());
  if (attempt.run().status != RunStatus::kSucceeded || !attempt.run().reusable)
    return fail(attempt.failure());
  if (attempt.run().repeats.empty()) TRY(remember_result(session, attempt.run()));
  reporter.event(StepEnded{run.label, Outcome::kRan, success_of(attempt.run()), 0});
  return true;
}

bool record_ended(Session& session, const std::vector<Run>& runs, std::stop_token stop) {
  std::vector<Run> ended = ended_of(session, runs, stop);
  if (ended.empty()) return false;
  const auto workspace =
      session.host().files.lock(path_join(session.workspace().cache, "lock"), FileLock::Mode::kShared);
  if (!workspace || !*workspace || !session.open_state(State::Access::kWrite)) return false;
  record_ends(session, std::move(ended), stop);
  return true;
}

void record_ended_while_held(Session& session, const std::vector<Run>& runs, std::stop_token stop) {
  record_ends(session, ended_of(session, runs, stop), stop);
}

Result<Run> find_settled_run(Session& session, const std::string& word, std::stop_token stop) {
  TRY_ASSIGN(Run run, find_run(session, word));
  TRY_ASSIGN(std::vector<Run> runs, session.state().all());
  std::erase_if(runs, [&](const Run& other) { return other.label != run.label; });
  const bool has_news = record_ended(session, runs, stop);
  if (stop.stop_requested()) return fail(interrupted_error());
  return has_news ? find_run(session, word) : std::move(run);
}

Result<void> tell_of_later_failure(Session& session, const std::string& word, const Run& run) {
  if (!is_label_like(word)) return {};
  TRY_ASSIGN(const std::optional<Record> record, session.state().last(run.label));
  TRY_ASSIGN(const Run found, find_run(session, word, WhichRun::kLatest));
  if (!record || record->run != run.id || found.id == run.id) return {};
  TRY_ASSIGN(const std::vector<Run> runs, session.state().all());  // the newest first
  const auto newer = std::find_if(runs.begin(), runs.end(),
                                  [&](const Run& each) { return each.id == run.id || each.id == found.id; });
  if (newer == runs.end() || newer->id == run.id) return {};
  const Run latest = live(session, found, patience_of_looking({}));
  if (latest.status == RunStatus::kSucceeded) return {};
  write_stderr(cat("this is run ", run.id, ", whose result ", session.shown(run.label), " has; a later one, ",
                   latest.id, ", ", is_over(latest.status) ? cat("is ", name_of(latest.status)) : "goes on",
                   "\n"));
  return {};
}

}  // namespace trainmake
