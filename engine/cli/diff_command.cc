// `diff RUN RUN` and `why RUN`: what two runs differ in.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/live_run.h"
#include "engine/cli/reasons.h"
#include "engine/cli/run_changes.h"
#include "engine/cli/run_json.h"
#include "engine/cli/table.h"
#include "rules/job/checkpoint.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownFiles = 20;  // of one section, as text
constexpr const char* kCheckpoint = "checkpoint";

Json object_from(const std::string& text) {
  Json json = parse_json<Json>(text);
  return json.is_object() ? json : Json::object();
}

Json metrics_object(const Run& run) {
  Json metrics = Json::object();
  for (const auto& [name, value] : run.metrics) metrics[name] = value;
  return metrics;
}

// name → {from, to}, of what is not the same; absent is null.
Json changed_values(const Json& from, const Json& to) {
  std::map<std::string, Json> changed;
  for (const auto& [name, value] : from.items()) {
    if (!to.contains(name) || to[name] != value)
      changed[name] = {{"from", value}, {"to", to.contains(name) ? to[name] : Json()}};
  }
  for (const auto& [name, value] : to.items()) {
    if (!from.contains(name)) changed[name] = {{"from", Json()}, {"to", value}};
  }
  return changed;
}

// What two runs were begun with, where that is not the same content, wherever it came from.
struct Beginnings {
  std::optional<ToldCheckpoint> before, now;  // nothing: with an empty checkpoint folder
};

std::optional<Beginnings> beginnings_of(const Run& before, const Run& now) {
  const auto content = [](const std::optional<ToldCheckpoint>& told) { return told ? told->listing : ""; };
  Beginnings both{told_resumed(before), told_resumed(now)};
  return content(both.before) == content(both.now) ? std::nullopt : std::optional(std::move(both));
}

struct Difference {
  Run before, now;
  std::vector<RunChange> changes;
  Json params, metrics;
  std::optional<Beginnings> beginnings;
};

// A parameter whose two values are shown needs no word that it changed.
bool is_shown_as_param(const Difference& difference, const RunChange& change) {
  constexpr std::string_view kParams = "params.";
  return change.reason.section == Section::kAttr && change.reason.name.starts_with(kParams) &&
         difference.params.contains(change.reason.name.substr(kParams.size()));
}

Result<Difference> difference_of(Session& session, Run before, Run now) {
  TRY_ASSIGN(std::vector<RunChange> changes, changes_between(session.state(), before, now));
  Json params = changed_values(object_from(before.params_json), object_from(now.params_json));
  Json metrics = changed_values(metrics_object(before), metrics_object(now));
  std::optional<Beginnings> beginnings = beginnings_of(before, now);
  return Difference{std::move(before), std::move(now),     std::move(changes),
                    std::move(params), std::move(metrics), std::move(beginnings)};
}

// As the last sentence names what runs went on from.
std::string checkpoints_text(const Beginnings& both) {
  if (both.before && both.now)
    return cat("the checkpoints of runs ", both.before->run, " and ", both.now->run);
  return cat("the checkpoint of run ", (both.now ? both.now : both.before)->run);
}

// Everything that is known to be another, by the names that `changes` and `params` have.
std::vector<std::string> causes_of(const Difference& difference) {
  std::vector<std::string> causes;
  if (difference.beginnings) causes.emplace_back(kCheckpoint);
  for (const auto& [name, change] : difference.params.items()) causes.push_back(cat("params.", name));
  for (const RunChange& change : difference.changes) {
    if (!is_shown_as_param(difference, change)) causes.push_back(change.reason.name);
  }
  return causes;
}

std::vector<std::string> named_causes_of(const Difference& difference) {
  std::vector<std::string> causes = causes_of(difference);
  for (std::string& cause : causes) cause = quoted(cause);
  if (difference.beginnings) causes.front() = checkpoints_text(*difference.beginnings);
  return causes;
}

// What the last line says: what came out, and which of the changes may be why.
std::string explanation(const Difference& difference) {
  const std::vector<std::string> causes = named_causes_of(difference);
  const bool ended_alike = difference.before.status == difference.now.status;
  const bool differs = !difference.metrics.empty() || !ended_alike;
  if (causes.empty()) {
    return differs
               ? "Nothing that was given explains it: the job does not do the same each time (a seed that is "
                 "not set, a race, another machine)\n"
               : "";
  }
  if (!differs) return difference.now.metrics.empty() ? "" : "The metrics are the same nevertheless\n";
  if (causes.size() == 1) return cat("Explained by ", causes.front(), " alone\n");
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(causes.size(), 5); ++i)
    names += cat(i == 0 ? "" : ", ", causes[i]);
  if (causes.size() > 5) names += cat(" and ", causes.size() - 5, " more");
  return cat("Explained by one of ", names, ", or by several of them together\n");
}

// Where it ran, and what it saw there: a manifest has that as one digest.
std::string platform_text(const Run& run) {
  const std::string contract = contract_given_to(run);
  return contract.empty() ? run.platform : cat(run.platform, " (", contract, ")");
}

bool is_of_platform(const Difference& difference, const RunChange& change) {
  return change.reason.section == Section::kPlatform && change.label == difference.now.label;
}

Json beginnings_json(const std::optional<Beginnings>& both) {
  if (!both) return {};
  return {{"from", checkpoint_json(both->before)}, {"to", checkpoint_json(both->now)}};
}

Json difference_json(const Difference& difference) {
  Json changes = Json::array();
  for (const RunChange& change : difference.changes) {
    Json json = reasons_json({change.reason}).front();
    json["label"] = change.label.text();
    if (is_of_platform(difference, change)) {
      json["from"] = platform_text(difference.before);
      json["to"] = platform_text(difference.now);
    }
    changes.push_back(std::move(json));
  }
  return {{"from", difference.before.id},
          {"to", difference.now.id},
          {"changes", std::move(changes)},
          {"params", difference.params},
          {"metrics", difference.metrics},
          {"explained_by", causes_of(difference)},
          {"checkpoint", beginnings_json(difference.beginnings)}};
}

std::string value_text(const Json& value) {
  if (value.is_null()) return "nothing";
  return printable(value.is_string() ? value.get<std::string>()
                                     : value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string change_text(const Session& session, const Difference& difference, const RunChange& change) {
  if (is_of_platform(difference, change))
    return printable(cat(platform_text(difference.before), " → ", platform_text(difference.now)));
  if (change.reason.kind != ReasonKind::kUpstreamChanged) return reason_text(change.reason, session.here());
  const Result<Label> label = parse_label(change.reason.name, "");
  return cat(quoted(label ? session.shown(*label) : change.reason.name), " changed");
}

using Rows = std::vector<std::vector<std::string>>;

// The section's name stands beside its first row.
void add_row(Rows& rows, std::string_view section, std::string text) {
  const auto named =
      std::find_if(rows.rbegin(), rows.rend(), [](const auto& row) { return !row[0].empty(); });
  rows.push_back({named != rows.rend() && (*named)[0] == section ? std::string() : std::string(section),
                  std::move(text)});
}

void add_values(Rows& rows, std::string_view section, const Json& values) {
  for (const auto& [name, change] : values.items())
    add_row(rows, section,
            cat(printable(name), "  ", value_text(change["from"]), " → ", value_text(change["to"])));
}

void add_changes(Rows& rows, const Session& session, const Difference& difference, Section section) {
  std::size_t count = 0;
  for (const RunChange& change : difference.changes) {
    if (change.reason.section != section || is_shown_as_param(difference, change)) continue;
    const std::string of =
        change.label == difference.now.label ? std::string() : cat("  (", session.shown(change.label), ")");
    if (++count <= kShownFiles)
      add_row(rows, name_of(section), cat(change_text(session, difference, change), of));
  }
  if (count > kShownFiles)
    add_row(rows, name_of(section), cat("and ", count - kShownFiles, " more; `--json` lists all"));
}

std::string begun_text(const std::optional<ToldCheckpoint>& checkpoint) {
  return checkpoint ? cat("that of run ", checkpoint->run, " (", size_text(*checkpoint), ")") : "none";
}

std::string difference_text(const Session& session, const Difference& difference) {
  Rows rows;
  add_values(rows, "params", difference.params);
  for (const Section section : {Section::kAttr, Section::kCode, Section::kData, Section::kBase,
                                Section::kPlatform, Section::kUpstream})
    add_changes(rows, session, difference, section);
  if (difference.beginnings)
    add_row(rows, kCheckpoint,
            cat(begun_text(difference.beginnings->before), " → ", begun_text(difference.beginnings->now)));
  add_values(rows, "metrics", difference.metrics);
  return cat(rows.empty() ? "nothing that matters differs\n" : table_text(rows), explanation(difference));
}

std::string head_text(const Session& session, const Run& run) {
  return cat(run.id, "  ", session.shown(run.label), "  ", name_of(run.status),
             run.started_ns == 0 ? std::string() : cat("  ", moment_text(run.started_ns), " UTC"), "\n");
}

// The run of the same label that was created before it.
Result<std::optional<Run>> previous(State& state, const Run& run) {
  TRY_ASSIGN(const std::vector<Run> runs, state.all());
  auto at = std::find_if(runs.begin(), runs.end(), [&](const Run& each) { return each.id == run.id; });
  if (at != runs.end())
    at = std::find_if(at + 1, runs.end(), [&](const Run& each) { return each.label == run.label; });
  return at == runs.end() ? std::optional<Run>() : *at;
}

std::vector<Reason> reasons_of(const std::optional<Run>& before, const Run& run) {
  if (!before) return {{ReasonKind::kNeverBuilt, {}, ""}};
  std::vector<Reason> reasons = differences(before->manifest, run.manifest);
  if (!reasons.empty()) return reasons;
  return {
      {before->status == RunStatus::kSucceeded ? ReasonKind::kForced : ReasonKind::kFailedBefore, {}, ""}};
}

Result<std::string> why_text(Session& session, const std::optional<Run>& before, const Run& run) {
  if (!before)
    return cat(head_text(session, run), "  the first run of ", quoted(session.shown(run.label)), "\n");
  if (before->manifest.fingerprint() == run.manifest.fingerprint()) {
    const std::string again = before->status == RunStatus::kSucceeded
                                  ? "asked for again"
                                  : cat("tried again after ", before->id, ", which ",
                                        before->status == RunStatus::kFailed ? "failed" : "did not end well");
    const std::optional<Beginnings> both = beginnings_of(*before, run);
    return cat(
        head_text(session, run), "  ", again, ", with nothing changed",
        both ? cat(" but its checkpoint: ", begun_text(both->before), " → ", begun_text(both->now)) : "",
        "\n");
  }
  TRY_ASSIGN(const Difference difference, difference_of(session, *before, run));
  return cat(head_text(session, run), "since ", head_text(session, *before),
             difference_text(session, difference));
}

}  // namespace

Result<int> diff_command(const Call& call) {
  Session& session = call.session;
  const std::vector<std::string>& words = session.line().words;
  if (words.size() != 2)
    return fail(user_error(cat("`trainmake diff` compares two runs, got ", words.size()),
                           "`trainmake runs` lists runs"));
  TRY(session.open_state(State::Access::kLook));
  const Patience patience = patience_of_looking(call.stop);
  TRY_ASSIGN(Run before, find_settled_run(session, words[0], call.stop));
  TRY_ASSIGN(Run now, find_settled_run(session, words[1], call.stop));
  TRY_ASSIGN(const Difference difference, difference_of(session, live(session, std::move(before), patience),
                                                        live(session, std::move(now), patience)));
  if (session.json())
    write_stdout(difference_json(difference).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  else
    write_stdout(cat(head_text(session, difference.before), head_text(session, difference.now),
                     difference_text(session, difference)));
  return 0;
}

Result<int> why_run_command(const Call& call) {
  Session& session = call.session;
  TRY(session.open_state(State::Access::kLook));
  for (const std::string& word : session.line().words) {
    TRY_ASSIGN(const Run run, find_settled_run(session, word, call.stop));
    TRY_ASSIGN(const std::optional<Run> before, previous(session.state(), run));
    if (session.json()) {
      write_stdout(Json{{"label", run.label.text()},
                        {"verdict", "run"},
                        {"reasons", reasons_json(reasons_of(before, run))},
                        {"run", run.id},
                        {"since", before ? Json(before->id) : Json()},
                        {"checkpoint", beginnings_json(before ? beginnings_of(*before, run) : std::nullopt)}}
                       .dump() +
                   "\n");
      continue;
    }
    TRY_ASSIGN(const std::string text, why_text(session, before, run));
    write_stdout(text);
  }
  return 0;
}

}  // namespace trainmake
