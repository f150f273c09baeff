// `show RUN`: all that is known of one run, and how to repeat it. Changes nothing but what is remembered of a
// job that ended while nobody looked.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/curve_text.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/live_run.h"
#include "engine/cli/run_json.h"
#include "engine/cli/table.h"
#include "engine/cli/terminal.h"
#include "rules/image/image_rule.h"
#include "rules/job/checkpoint.h"
#include "rules/job/provenance.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t kShortDigest = 12;

void add(Rows& rows, const char* name, std::string value) {
  if (!value.empty()) rows.push_back({name, std::move(value)});
}

std::string command_text(const Json& provenance) {
  std::string text;
  for (const Json& word : provenance.value("command", Json::array())) {
    const std::string plain = word.is_string() ? word.get<std::string>() : std::string();
    const bool bare = !plain.empty() && plain.find_first_of(" \t\n'\"\\$`*?;&|<>()") == plain.npos;
    text += cat(text.empty() ? "" : " ", bare ? printable(plain) : cat("'", printable(plain), "'"));
  }
  return text;
}

// What is said of the code, and the command that gets it back; empty outside of git.
struct Source {
  std::string text, checkout;  // no command brings back what was not committed
};

Source source_of(const Json& provenance) {
  const Json git = provenance.value("git", Json());
  if (!git.is_object() || text_at(git, "commit").empty()) return {};
  const std::string commit = text_at(git, "commit"), branch = text_at(git, "branch");
  const auto dirty_at = git.find("dirty");
  const bool dirty = dirty_at != git.end() && *dirty_at == true;
  return {cat("commit ", commit.substr(0, kShortDigest), branch.empty() ? "" : cat(" on ", printable(branch)),
              dirty ? ", with changes that were not committed" : ""),
          dirty ? std::string() : cat("git checkout ", commit.substr(0, kShortDigest), " && ")};
}

void add_outputs(Rows& rows, const Run& run) {
  const char* name = "outputs";
  for (const RunOutput& output : run.outputs) {
    rows.push_back(
        {name, cat(printable(output.name), "  ", printable(output.path), "  ", human_bytes(output.bytes),
                   "  sha256:", output.sha256.substr(0, kShortDigest))});
    name = "";
  }
}

void add_data(Rows& rows, const Json& provenance) {
  const char* name = "data";
  const Json trees = provenance.value("data", Json());
  for (const Json& tree : trees.is_array() ? trees : Json::array()) {
    if (!tree.is_object()) continue;
    const std::string channel = text_at(tree, "channel"), identity = text_at(tree, "identity");
    rows.push_back(
        {name, cat(printable(text_at(tree, "label")), channel.empty() ? "" : cat(" as ", printable(channel)),
                   identity.empty() ? "" : cat("  tree ", identity.substr(0, kShortDigest)))});
    name = "";
  }
}

// One that is over may have printed nothing, or its log is not kept any more; a platform that cannot be asked
// may have it.
bool may_have_log(Session& session, const Run& run, const std::stop_token& stop) {
  if (!is_over(run.status)) return true;
  const Result<Platform*> platform = platform_of(session, run);
  if (!platform) return false;
  const auto end = end_of_log(**platform, run, 1, stop);
  return !end || !end->empty();
}

// What its platform knows beside; nothing of one that cannot be asked.
void add_facts(Rows& rows, Session& session, const Run& run, const std::stop_token& stop) {
  const Result<Platform*> platform = platform_of(session, run);
  const auto facts = platform ? (*platform)->facts(JobHandle::of(run), stop) : std::vector<Fact>();
  if (!facts) return;
  for (const auto& [name, text] : *facts) add(rows, name.c_str(), printable(text));
}

std::string curves_text(const Run& run, std::size_t width) {
  std::string text;
  for (const auto& [name, curve] : run.curves) {
    const std::string drawn = curve_text(curve, width);
    if (!drawn.empty()) text += cat("\n", printable(name), "\n", drawn);
  }
  return text;
}

std::string checkpoint_text(const ToldCheckpoint& checkpoint) {
  return cat(size_text(checkpoint), "  sha256:", checkpoint.listing.substr(0, kShortDigest));
}

std::string show_text(Session& session, const Run& run, const std::stop_token& stop) {
  Json provenance = parse_json<Json>(run.provenance_json);
  if (!provenance.is_object()) provenance = Json::object();
  const std::string label = session.shown(run.label);
  const Source source = source_of(provenance);
  Rows rows;
  add(rows, "run", run.attempt > 1 ? cat(run.id, " (attempt ", run.attempt, ")") : run.id);
  add(rows, "label", label);
  add(rows, "status",
      cat(status_text(run),
          run.status == RunStatus::kSucceeded && !run.reusable ? " (its result is not taken again)" : ""));
  add(rows, "platform", cat(run.platform, run.job.empty() ? "" : cat(", job ", printable(run.job))));
  add_facts(rows, session, run, stop);
  add(rows, "created", cat(moment_text(run.created_ns), " UTC"));
  if (run.started_ns != 0) add(rows, "started", cat(moment_text(run.started_ns), " UTC"));
  if (is_over(run.status) && run.ended_ns != 0) add(rows, "ended", cat(moment_text(run.ended_ns), " UTC"));
  add(rows, "took", took_text(run, session.host().clock.now_ns()));
  add(rows, "params", params_text(run));
  add(rows, "metrics", metrics_text(run));
  const Remarks remarks = remarks_of(run);
  add(rows, "tags", printable(join(remarks.tags, ", ")));
  add(rows, "notes", printable(remarks.notes));
  add(rows, "memo", printable(remarks.memo));
  add_outputs(rows, run);
  add(rows, "code", source.text);
  add_data(rows, provenance);
  const std::string image = text_at(provenance, "image");
  if (!image.empty() && !image.starts_with(kCodeAlone))
    add(rows, "image", cat("config sha256:", image.substr(0, kShortDigest)));
  add(rows, "contract", printable(contract_given_to(run)));
  if (const std::optional<ToldCheckpoint> resumed = told_resumed(run))
    add(rows, "resumed", cat("from run ", resumed->run, ": ", checkpoint_text(*resumed)));
  if (const std::optional<ToldCheckpoint> left = told_left(run))
    add(rows, "checkpoint", checkpoint_text(*left));
  add(rows, "command", command_text(provenance));
  if (may_have_log(session, run, stop)) add(rows, "log", cat("trainmake logs ", run.id));
  if (!run.outputs.empty()) add(rows, "get", cat("trainmake pull ", run.id));
  if (!is_over(run.status)) add(rows, "end", cat("trainmake cancel ", run.id));
  if (!run.repeats.empty())
    add(rows, "reproduces",
        cat("run ", run.repeats, "; `trainmake diff ", run.repeats, " ", run.id, "` compares them"));
  if (is_over(run.status)) add(rows, "reproduce", cat("trainmake ", repeated(session, run, run.platform)));
  add(rows, "repeat",
      cat(source.checkout, "trainmake ", asked_again(session, run), run.repeats.empty() ? " --force" : ""));
  return table_text(rows) + curves_text(run, terminal_width(STDOUT_FILENO));
}

// How its metrics went: as remembered of one that is over, and of another as it tells so far.
Result<Run> with_metrics(Session& session, Run run, const std::stop_token& stop) {
  if (is_over(run.status)) {
    TRY_ASSIGN(run.curves, session.state().curves(run.id));
  } else if (const Result<Platform*> platform = platform_of(session, run)) {
    TRY_ASSIGN(const Space* space, session.space());
    const Metrics told =
        metrics_told(**platform, session.host().files, *space, run, metrics_declared_of(run), stop);
    run.metrics = told.values();
    run.curves = told.curves();
  }
  return run;
}

}  // namespace

Result<int> show_command(const Call& call) {
  Session& session = call.session;
  if (session.line().words.empty())
    return fail(user_error("`trainmake show` needs a run or a label", "`trainmake runs` lists runs"));
  TRY(session.open_state(State::Access::kLook));
  for (const std::string& word : session.line().words) {
    TRY_ASSIGN(Run found, find_settled_run(session, word, call.stop));
    TRY(tell_of_later_failure(session, word, found));
    TRY_ASSIGN(
        const Run run,
        with_metrics(session, live(session, std::move(found), patience_of_looking(call.stop)), call.stop));
    write_stdout(session.json() ? run_json(run, RunDetail::kAll) + "\n" : show_text(session, run, call.stop));
  }
  return 0;
}

}  // namespace trainmake
