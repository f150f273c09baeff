// `pull`: a run's outputs as files, each verified as it is copied.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/live_run.h"
#include "engine/cli/pull_all.h"
#include "engine/cli/typed_path.h"
#include "rules/job/outputs.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Result<void> check_has_outputs(Session& session, const Run& run, const std::stop_token& stop) {
  const bool wants_all = session.line().has("--all");
  if (!run.outputs.empty() && !wants_all) return {};
  const std::string name = cat("Run ", quoted(run.id), " of ", quoted(session.shown(run.label)));
  const Run now = live(session, run, patience_of_looking(stop));
  if (!is_over(now.status))
    return fail(user_error(cat(name, " is ", name_of(now.status), ": it has no outputs yet"),
                           cat("`trainmake attach ", run.id, "` waits for them")));
  if (wants_all) return {};
  if (now.status != RunStatus::kSucceeded)
    return fail(
        user_error(cat(name, " was ", now.status == RunStatus::kFailed ? "no success" : name_of(now.status),
                       ": it left no outputs"),
                   cat("`trainmake logs ", run.id, "` shows what it said")));
  if (!is_over(run.status))
    return fail(user_error(cat(name, " has ended, and its outputs are not kept yet"),
                           cat("`trainmake attach ", run.id, "` keeps them")));
  return fail(
      user_error(cat(name, " has no outputs"),
                 cat("A job says what it leaves with `outputs = { model = \"model.npz\" }`; where its "
                     "platform keeps all, `trainmake pull ",
                     run.id, " --all` brings that")));
}

Result<Sha256> digest_of_file(FileSystem& files, const std::string& path) {
  Sha256Hasher hasher;
  TRY(read_pieces(files, path, {}, [&](std::string_view bytes) {
    hasher.raw(bytes);
    return Result<void>();
  }));
  return hasher.finish();
}

// What lies where an output goes is replaced when it is itself an output of a run, as an earlier pull leaves
// it.
Result<void> check_replaceable(Session& session, const Run& run, const std::string& folder) {
  std::set<std::string> outputs;
  std::set<std::uint64_t> sizes;
  TRY_ASSIGN(const std::vector<Run> runs, session.state().all());
  for (const Run& each : runs) {
    for (const RunOutput& output : each.outputs) outputs.insert(output.sha256), sizes.insert(output.bytes);
  }
  FileSystem& files = session.host().files;
  for (const RunOutput& output : run.outputs) {
    const std::string path = path_join(folder, output.path);
    TRY_ASSIGN(const Stat there, files.look(path));
    if (!there.exists()) continue;
    if (there.is(FileKind::kFile) && sizes.contains(there.size)) {
      TRY_ASSIGN(const Sha256 digest, digest_of_file(files, path));
      if (outputs.contains(digest.hex())) continue;
    }
    return fail(user_error(cat(quoted(path), " is there already, and is no output of a run"),
                           "`--to DIR` puts the outputs elsewhere, `--overwrite` replaces it"));
  }
  return {};
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

// The label's result is of its last run, wherever that was.
Result<void> tell_of_other_platform(Session& session, const std::string& word, const Run& run) {
  if (!is_label_like(word) || run.status != RunStatus::kSucceeded) return {};
  TRY_ASSIGN(const std::vector<Run> runs, session.state().all());  // the newest first
  const auto other = std::find_if(runs.begin(), runs.end(), [&](const Run& each) {
    return each.label == run.label && each.platform != run.platform && each.status == RunStatus::kSucceeded;
  });
  if (other == runs.end()) return {};
  write_stderr(cat("this is of run ", run.id, " on platform ", quoted(run.platform), "; of ",
                   quoted(other->platform), " `trainmake pull ", other->id, "` brings what was left\n"));
  return {};
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
    TRY_ASSIGN(Run run, find_settled_run(session, word, call.stop));
    TRY(tell_of_later_failure(session, word, run));
    TRY(tell_of_other_platform(session, word, run));
    if (run.status == RunStatus::kSucceeded && !run.reusable)
      write_stderr(
          cat("run ", run.id, " is no result of ", session.shown(run.label), ": ", run.reason, "\n"));
    TRY(check_has_outputs(session, run, call.stop));
    const std::string to = given.value_or(run.label.name);
    const std::string folder = typed_path(session, to);
    const bool overwrite = session.line().has("--overwrite");
    if (session.line().has("--all")) {
      TRY_ASSIGN(run.outputs, pull_all(session, run, folder, overwrite, call.stop));
    } else {
      if (!overwrite) TRY(check_replaceable(session, run, folder));
      TRY(copy_outputs(session.blobs(), run, asked_again(session, run), folder));
    }
    write_pulled(session, run, to, folder);
  }
  return 0;
}

}  // namespace trainmake
