// `trainmake` alone: what the project here declares, or which projects there are, and what to type next.
// Changes nothing.
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/target_json.h"
#include "lua/load.h"

namespace trainmake {
namespace {

std::string overview_text(Session& session, const Graph& graph) {
  std::string text = cat("Project ", quoted(session.here().empty() ? "//" : session.here()), " declares:\n");
  std::string job;
  for (const TargetId id : graph.asked) {
    const std::string label = session.shown(graph[id].label);
    if (graph[id].label.kind == "job" && job.empty()) job = label;
    text += cat("  ", label, "\n");
  }
  const std::string next = job.empty() ? "//..." : shell_word(job);
  return cat(text, "\n`trainmake plan ", next, "` says what would happen, `trainmake ", next,
             "` does it, `trainmake help` lists the rest\n");
}

// Of a folder that is no project itself.
std::string projects_text(Session& session, const Graph& graph) {
  std::set<std::string> folders;
  for (const TargetId id : graph.asked) folders.insert(graph[id].label.folder);
  std::string text = "Projects of this workspace:\n";
  for (const std::string& folder : folders)
    text += cat("  ", printable(path_below(folder, session.here()).value_or(folder)), "\n");
  return cat(text, "\n`trainmake query //...` lists their targets, `trainmake help` what there is to do\n");
}

Result<bool> is_project(Session& session) {
  const std::string file = path_join(session.workspace().path(session.here()), kTrainfile);
  TRY_ASSIGN(const Stat stat, session.host().files.look(file, Links::kFollow));
  return stat.exists();
}

}  // namespace

Result<int> overview_command(const Call& call) {
  Session& session = call.session;
  TRY_ASSIGN(const bool here, is_project(session));
  TRY_ASSIGN(const Loaded loaded, load_or_fail(call, {Pattern{session.here(), !here, "*", "*"}}));
  if (!session.json()) {
    write_stdout(here ? overview_text(session, loaded.graph) : projects_text(session, loaded.graph));
    return 0;
  }
  const std::vector<const Schema*> schemas = session.schemas();
  for (const TargetId id : loaded.graph.asked)
    write_stdout(json_line(target_json(schemas, loaded.graph, loaded.graph[id])));
  return 0;
}

}  // namespace trainmake
