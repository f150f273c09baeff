// `affected --since REV`: what a change reaches. A declaration is compared with the one that the old files
// gave; a file is looked for among the patterns of targets, so that one that is gone counts as well.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/git.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/cli/commands.h"
#include "engine/cli/file_claims.h"
#include "engine/cli/query_expression.h"
#include "engine/cli/revision_files.h"
#include "lua/load.h"
#include "rules/image/base_lock.h"

namespace trainmake {
namespace {

// What differs since a revision. `root` is the workspace's, spelled as git spells its work tree.
struct Change {
  std::string root;
  std::unique_ptr<GitSnapshot> snapshot;
  std::vector<std::string> paths;  // absolute
};

bool is_private(const std::string& path) {
  const std::vector<std::string> parts = split(path, '/');
  return std::any_of(parts.begin(), parts.end(),
                     [](const std::string& part) { return part == ".git" || part == ".trainmake"; });
}

Result<Change> find_change(const Workspace& workspace, const std::string& revision) {
  // A workspace that is reached over a link lies in the repository that the link leads to.
  Change change;
  for (const std::string& root : {workspace.root, real_path(workspace.root)}) {
    TRY_ASSIGN(change.snapshot, GitSnapshot::of(root, revision));
    change.root = root;
    if (change.snapshot) break;
  }
  TRY_ASSIGN(change.paths, git_changed_since(change.root, revision));
  std::erase_if(change.paths, is_private);
  return change;
}

// What the files declared at one time.
struct Declared {
  Space space;
  LoadOptions options;
  std::map<Label, Table> attributes;
  std::vector<std::string> broken;  // folders of projects that could not be loaded whole
};

Declared declared_then(Session& session, const Change& change, const std::vector<std::string>& folders) {
  RevisionFiles files(session.host().files, *change.snapshot, change.paths);
  const Host host{files, session.host().processes, session.host().http, session.host().clock,
                  session.host().environment};
  Declared declared;
  declared.space = load_space(host, change.root);
  const std::string fallback =
      declared.space.default_platform.empty() ? "local" : declared.space.default_platform;
  const std::string platform = session.line().value("--platform").value_or(fallback);
  const Service* service = declared.space.find("platform", platform);
  const std::string* type = service == nullptr ? nullptr : service->text("type");
  declared.options = {change.root, platform, type == nullptr ? platform : *type};
  std::vector<Project> projects(folders.size());
  parallel_for(folders.size(), 4, processor_count(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) projects[i] = load_project(host, declared.options, folders[i]);
  });
  for (Project& project : projects) {
    if (!project.errors.empty()) declared.broken.push_back(project.folder);
    for (Declaration& each : project.declarations)
      declared.attributes[{project.folder, each.kind, each.name}] = std::move(each.attributes);
  }
  return declared;
}

class Reach {
 public:
  Reach(Session& session, const Change& change, const Graph& graph, const Space& space, std::string platform)
      : session_(session), change_(change), graph_(graph), space_(space), platform_(std::move(platform)) {}

  Result<std::vector<TargetId>> find() {
    std::vector<TargetId> changed;
    if (change_.paths.empty()) return changed;
    std::vector<std::string> folders;
    for (const Target& target : graph_.targets) folders.push_back(target.label.folder);
    std::sort(folders.begin(), folders.end());
    folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
    const Declared then = declared_then(session_, change_, folders);
    for (TargetId id = 0; id < graph_.targets.size(); ++id) {
      bool differs = is_declared_otherwise(graph_[id], then) || is_served_otherwise(graph_[id], then);
      if (!differs) {
        TRY_ASSIGN(differs, has_changed_files(graph_[id]));
      }
      if (differs) changed.push_back(id);
    }
    return with_users(graph_, changed);
  }

 private:
  bool is_declared_otherwise(const Target& target, const Declared& then) const {
    const auto found = then.attributes.find(target.label);
    return found == then.attributes.end() || found->second != target.attributes ||
           std::find(then.broken.begin(), then.broken.end(), target.label.folder) != then.broken.end();
  }

  // The platform, store or registry that the target goes to, as TRAINSPACE.lua has it.
  bool is_served_otherwise(const Target& target, const Declared& then) const {
    const auto differ = [&](const char* kind, const std::string& name_now, const std::string& name_then) {
      const Service* now = space_.find(kind, name_now);
      const Service* old = then.space.find(kind, name_then);
      if (name_now != name_then || (now == nullptr) != (old == nullptr)) return true;
      return now != nullptr && now->attributes != old->attributes;
    };
    const std::string& kind = target.label.kind;
    if (kind == "job") return differ("platform", platform_, then.options.platform);
    if (kind == "data")
      return differ("store", target.string_or("store", space_.default_store),
                    target.string_or("store", then.space.default_store));
    if (kind == "image")
      return differ("registry", target.string_or("registry", space_.default_registry),
                    target.string_or("registry", then.space.default_registry));
    return false;
  }

  Result<bool> has_changed_files(const Target& target) {
    const std::vector<const Schema*> schemas = session_.schemas();
    const auto schema = std::find_if(schemas.begin(), schemas.end(),
                                     [&](const Schema* each) { return each->kind == target.label.kind; });
    CHECK(schema != schemas.end());
    TRY_ASSIGN(const FileClaims claims, FileClaims::of(**schema, target));
    const std::string folder = path_join(change_.root, target.label.folder);
    const bool heeds_gitignore =
        (*schema)->find("gitignore") != nullptr && target.boolean_or("gitignore", true);
    for (const std::string& path : change_.paths) {
      const std::string_view name = path_name(path);
      if (heeds_gitignore && name == ".gitignore" && may_reach(claims, folder, path_folder(path)))
        return true;
      if (name == kLockFile && path_folder(path) == change_.root && is_built_on_something(target))
        return true;
      const std::optional<std::string> inside = path_below(path, folder);
      if (!inside || inside->empty()) continue;
      if (claims.claims(*inside, in_another_project(folder, path))) return true;
      // A project that came or went takes or leaves files.
      if (name == kTrainfile && *inside != kTrainfile && claims.may_claim_below(path_folder(*inside))) {
        TRY_ASSIGN(const std::optional<std::string> then, change_.snapshot->read(path));
        if (then.has_value() != is_file(path)) return true;
      }
    }
    return false;
  }

  // Whether rules of a file in `from` may say something of what the target claims.
  static bool may_reach(const FileClaims& claims, const std::string& folder, std::string_view from) {
    if (path_below(folder, from)) return true;
    const std::optional<std::string> inside = path_below(from, folder);
    return inside && claims.may_claim_below(*inside);
  }

  // Its base is pinned in the lock file.
  static bool is_built_on_something(const Target& target) {
    return target.label.kind == "image" && target.string_or("base", "") != "scratch";
  }

  bool is_file(const std::string& path) {
    const auto known = is_file_.find(path);
    if (known != is_file_.end()) return known->second;
    const Result<Stat> stat = session_.host().files.look(path, Links::kFollow);
    return is_file_[path] = stat && stat->is(FileKind::kFile);
  }

  bool in_another_project(const std::string& folder, const std::string& path) {
    for (std::string_view at = path_folder(path); at.size() > folder.size(); at = path_folder(at)) {
      if (is_file(path_join(at, kTrainfile))) return true;
    }
    return false;
  }

  Session& session_;
  const Change& change_;
  const Graph& graph_;
  const Space& space_;
  std::string platform_;
  std::map<std::string, bool> is_file_;
};

}  // namespace

Result<int> affected_command(const Call& call) {
  Session& session = call.session;
  const std::optional<std::string> revision = session.line().value("--since");
  if (!revision || revision->empty())
    return fail(user_error("`trainmake affected` needs a commit to compare with",
                           "As `trainmake affected --since main`"));
  if (!session.line().words.empty()) {
    return fail(
        user_error(cat("`trainmake affected` takes no words, got ", quoted(session.line().words.front())),
                   "As `trainmake affected --since main`"));
  }
  TRY_ASSIGN(const Change change, find_change(session.workspace(), *revision));
  TRY_ASSIGN(const Loaded loaded, load_or_fail(call, {Pattern{"", true, "*", "*"}}));
  TRY_ASSIGN(const Space* space, session.space());
  TRY_ASSIGN(const std::string platform, session.platform_name());
  TRY_ASSIGN(const std::vector<TargetId> affected,
             Reach(session, change, loaded.graph, *space, platform).find());
  std::string text;
  for (const TargetId id : affected) {
    const Label& label = loaded.graph[id].label;
    text += session.json() ? nlohmann::ordered_json{{"label", label.text()}}.dump() + "\n"
                           : session.shown(label) + "\n";
  }
  write_stdout(text);
  return 0;
}

}  // namespace trainmake
