// `pull`: a run's outputs as files, each verified as it is copied.
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/live_run.h"
#include "engine/cli/typed_path.h"
#include "rules/job/outputs.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Result<void> check_has_outputs(Session& session, const Run& run) {
  if (!run.outputs.empty()) return {};
  const std::string name = cat("Run ", quoted(run.id), " of ", quoted(session.shown(run.label)));
  const Run now = live(session, run);
  if (!is_over(now.status))
    return fail(user_error(cat(name, " is ", name_of(now.status), ": it has no outputs yet"),
                           cat("`trainmake attach ", run.id, "` waits for them")));
  if (now.status != RunStatus::kSucceeded)
    return fail(
        user_error(cat(name, " was ", now.status == RunStatus::kFailed ? "no success" : name_of(now.status),
                       ": it left no outputs"),
                   cat("`trainmake logs ", run.id, "` shows what it said")));
  if (!is_over(run.status))
    return fail(user_error(cat(name, " has ended, and its outputs are not kept yet"),
                           cat("`trainmake attach ", run.id, "` keeps them")));
  return fail(user_error(cat(name, " has no outputs"),
                         "A job says what it leaves with `outputs = { model = \"model.npz\" }`"));
}

void write_pulled(const Session& session, const Run& run, const std::string& to, const std::string& folder) {
  if (session.json()) {
    Json json = {
        {"run", run.id}, {"label", run.label.text()}, {"to", printable(folder)}, {"outputs", Json::array()}};
    for (const RunOutput& output : run.outputs)
      json["outputs"].push_back({{"name", output.name},
                                 {"path", printable(output.path)},
                                 {"bytes", output.bytes},
                                 {"sha256", output.sha256}});
    write_stdout(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return;
  }
  for (const RunOutput& output : run.outputs)
    write_stdout(cat(printable(path_join(to, output.path)), "  ", human_bytes(output.bytes), "\n"));
}

}  // namespace

Result<int> pull_command(const Call& call) {
  Session& session = call.session;
  const std::vector<std::string>& words = session.line().words;
  if (words.empty())
    return fail(
        user_error("`trainmake pull` needs a label or a run", "As `trainmake pull job:mnist --to out`"));
  const std::optional<std::string> given = session.line().value("--to");
  if (given && words.size() > 1)
    return fail(user_error(
        cat("Flag `--to` is the folder of one run's outputs, and ", words.size(), " are asked for"),
        "Leave it out: each then gets a folder of its name"));
  TRY(session.open_state(State::Access::kLook));
  for (const std::string& word : words) {
    TRY_ASSIGN(const Run found, find_run(session, word));
    const Run run = as_ended(session, found, call.stop);
    TRY(check_has_outputs(session, run));
    const std::string to = given.value_or(run.label.name);
    const std::string folder = typed_path(session, to);
    TRY(copy_outputs(session.blobs(), run, session.shown(run.label), folder));
    write_pulled(session, run, to, folder);
  }
  return 0;
}

}  // namespace trainmake
