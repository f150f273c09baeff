// `trainmake` alone: what the project here declares, and what to type next. Changes nothing.
#include <nlohmann/json.hpp>

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
  const std::string next = job.empty() ? "//..." : job;
  return cat(text, "\n`trainmake plan ", next, "` says what would happen, `trainmake ", next,
             "` does it, `trainmake help` lists the rest\n");
}

// A workspace's root need not be a project.
Result<void> check_project_here(Session& session) {
  const std::string file = path_join(session.workspace().path(session.here()), kTrainfile);
  TRY_ASSIGN(const Stat stat, session.host().files.look(file, Links::kFollow));
  if (stat.exists()) return {};
  return fail(
      user_error(cat("There is no TRAINFILE.lua in ", quoted(session.here().empty() ? "." : session.here())),
                 "Name a target of a project, as `trainmake vision/job:mnist`; `trainmake query //...` lists "
                 "all of them"));
}

}  // namespace

Result<int> overview_command(const Call& call) {
  Session& session = call.session;
  TRY(check_project_here(session));
  TRY_ASSIGN(const Loaded loaded, load_or_fail(call, {Pattern{session.here(), false, "*", "*"}}));
  if (!session.json()) {
    write_stdout(overview_text(session, loaded.graph));
    return 0;
  }
  const std::vector<const Schema*> schemas = session.schemas();
  for (const TargetId id : loaded.graph.asked)
    write_stdout(json_line(target_json(schemas, loaded.graph, loaded.graph[id])));
  return 0;
}

}  // namespace trainmake
