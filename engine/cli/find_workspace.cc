#include "engine/cli/find_workspace.h"

#include <algorithm>

#include "engine/base/text.h"
#include "lua/load.h"

namespace trainmake {
namespace {

// The nearest folder at or above `folder` that holds `name`; "" when there is none.
Result<std::string> nearest_with(FileSystem& files, const std::string& folder, const char* name) {
  for (std::string at = folder;; at = path_folder(at)) {
    if (at.empty()) at = "/";
    TRY_ASSIGN(const Stat stat, files.look(path_join(at, name), Links::kFollow));
    if (stat.is(FileKind::kFile)) return at;
    if (at == "/") return std::string();
  }
}

// In a folder of `folder`, as far as that can be seen.
bool has_project_below(FileSystem& files, const std::string& folder) {
  const auto entries = files.list(folder);
  return entries && std::any_of(entries->begin(), entries->end(), [&](const FolderEntry& entry) {
           if (entry.kind != FileKind::kFolder && entry.kind != FileKind::kLink) return false;
           const auto stat = files.look(path_join(path_join(folder, entry.name), kTrainfile), Links::kFollow);
           return stat && stat->is(FileKind::kFile);
         });
}

bool has_project(const Host& host, const Workspace& workspace, const std::string& folder) {
  const Result<Stat> stat = host.files.look(path_join(workspace.path(folder), kTrainfile), Links::kFollow);
  return stat && stat->is(FileKind::kFile);
}

}  // namespace

Result<Position> find_workspace(const Host& host, const std::string& folder, const std::string& cache_dir) {
  TRY_ASSIGN(const std::string space, nearest_with(host.files, folder, kTrainspace));
  TRY_ASSIGN(const std::string project, nearest_with(host.files, folder, kTrainfile));
  if (space.empty() && project.empty()) {
    const bool above_projects = has_project_below(host.files, folder);
    return fail(user_error(
        "There is no TRAINFILE.lua in this folder or above it",
        above_projects ? "An empty TRAINSPACE.lua here makes the projects in its folders one workspace"
                       : "`trainmake new NAME` makes a project to begin with"));
  }
  Position position;
  Workspace& workspace = position.workspace;
  workspace.root = space.empty() ? project : space;
  position.current = path_below(folder, workspace.root).value_or("");
  const bool inside = !project.empty() && path_below(project, workspace.root).has_value();
  workspace.here = inside ? *path_below(project, workspace.root) : position.current;
  const std::string given =
      !cache_dir.empty() ? cache_dir : host.environment.get("TRAINMAKE_CACHE_DIR").value_or("");
  workspace.cache = given.empty() ? path_join(workspace.root, ".trainmake") : absolute_path(given);
  return position;
}

Result<Pattern> parse_request(const Host& host, const Position& position, const std::string& text) {
  TRY_ASSIGN(Pattern from_current, parse_pattern(text, position.current));
  if (position.current == position.workspace.here || text.starts_with("//")) return from_current;
  TRY_ASSIGN(Pattern from_project, parse_pattern(text, position.workspace.here));
  const bool names_folder = from_current.folder != position.current;
  return names_folder &&
                 (from_current.recursive || has_project(host, position.workspace, from_current.folder))
             ? from_current
             : from_project;
}

}  // namespace trainmake
