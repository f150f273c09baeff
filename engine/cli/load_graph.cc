// Load and resolve, a wave of projects at a time: only what a label needs is read, and what can be read side
// by side is.
#include <algorithm>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/cli/hidden.h"
#include "engine/cli/session.h"
#include "lua/load.h"
#include "rules/all.h"

namespace trainmake {
namespace {

// Every project folder at or below `folder`, and the folders that were listed to find them.
Result<std::vector<std::string>> projects_below(Session& session, const std::string& folder, Looks& looks) {
  std::vector<std::string> found;
  std::vector<std::string> waiting = {folder};
  FileSystem& files = session.host().files;
  while (!waiting.empty()) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    const std::string path = session.workspace().path(at);
    const Links links =
        at == folder ? Links::kFollow : Links::kKeep;  // where it begins may be reached over a link
    TRY_ASSIGN(const Stat stat, files.look(path, links));
    if (!stat.is(FileKind::kFolder)) continue;
    looks.folders.push_back({at, stat, std::nullopt, links});
    TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(path));
    for (const FolderEntry& entry : entries) {
      if (entry.name == kTrainfile) found.push_back(at);
      if (entry.kind == FileKind::kFolder && entry.name != ".git" && entry.name != ".trainmake")
        waiting.push_back(path_join(at, entry.name));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<LoadOptions> load_options(Session& session) {
  TRY_ASSIGN(const Space* space, session.space());
  TRY_ASSIGN(const std::string platform, session.platform_name());
  const Service* service = space->find("platform", platform);
  const std::string* type = service == nullptr ? nullptr : service->text("type");
  return LoadOptions{.root = session.workspace().root,
                     .platform = platform,
                     .platform_type = type == nullptr ? platform : *type,
                     .modules = all_lua_modules(*space, platform),
                     .stood_for = session.stood_for(*space)};
}

// The project folders that recursive patterns find, sorted.
Result<std::vector<std::string>> folders_found(Session& session, const std::vector<Pattern>& patterns,
                                               Looks& looks) {
  std::vector<std::string> folders;
  for (const Pattern& pattern : patterns) {
    if (!pattern.recursive) continue;
    TRY_ASSIGN(const std::vector<std::string> found, projects_below(session, pattern.folder, looks));
    folders.insert(folders.end(), found.begin(), found.end());
  }
  std::sort(folders.begin(), folders.end());
  folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
  return folders;
}

std::vector<Project> load_projects(Session& session, const LoadOptions& options,
                                   const std::vector<std::string>& folders) {
  std::vector<Project> projects(folders.size());
  parallel_for(folders.size(), 4, processor_count(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) projects[i] = load_project(session.host(), options, folders[i]);
  });
  return projects;
}

struct Wave {
  Session& session;
  LoadOptions options;
  Resolver& resolver;
  Looks& looks;

  bool has_file(const std::string& folder) const {
    const std::string file = path_join(folder, kTrainfile);
    const Result<Stat> stat = session.host().files.look(session.workspace().path(file), Links::kFollow);
    if (!stat || !stat->is(FileKind::kFile)) looks.files.push_back({file, Stat{}});
    return stat && stat->is(FileKind::kFile);
  }

  void load(std::vector<std::string> folders) const {
    std::erase_if(folders, [this](const std::string& folder) {
      if (has_file(folder)) return false;
      resolver.add_absent(folder);
      return true;
    });
    for (Project& project : load_projects(session, options, folders)) {
      hide_secrets(session.host().environment, project);
      resolver.add(std::move(project));
    }
  }
};

Result<void> load_into(Session& session, const std::vector<Pattern>& patterns, Resolver& resolver,
                       Looks& looks) {
  TRY_ASSIGN(const Space* space, session.space());
  looks.add(space->looks);
  TRY_ASSIGN(LoadOptions options, load_options(session));
  const Wave wave{session, std::move(options), resolver, looks};
  resolver.ask(patterns);
  TRY_ASSIGN(std::vector<std::string> everywhere, folders_found(session, patterns, looks));
  wave.load(std::move(everywhere));
  for (std::vector<std::string> folders = resolver.missing(); !folders.empty(); folders = resolver.missing())
    wave.load(std::move(folders));
  return {};
}

}  // namespace

Loaded load_graph(Session& session, const std::vector<Pattern>& patterns) {
  Loaded loaded;
  Resolver resolver(session.schemas(), session.here());
  if (Result<void> read = load_into(session, patterns, resolver, loaded.looks); !read) {
    loaded.errors = session.space_errors();  // all of a file's errors, where it is the file
    if (loaded.errors.empty()) loaded.errors.push_back(std::move(read).error());
    return loaded;
  }
  Resolver::Outcome outcome = resolver.finish();
  loaded.graph = std::move(outcome.graph);
  loaded.looks.add(outcome.looks);
  loaded.errors = std::move(outcome.errors);
  return loaded;
}

Result<std::vector<Project>> load_declared(Session& session, const std::vector<Pattern>& patterns) {
  TRY_ASSIGN(const LoadOptions options, load_options(session));
  Looks looks;
  TRY_ASSIGN(std::vector<std::string> folders, folders_found(session, patterns, looks));
  for (const Pattern& pattern : patterns) {
    if (!pattern.recursive && std::find(folders.begin(), folders.end(), pattern.folder) == folders.end())
      folders.push_back(pattern.folder);
  }
  std::vector<Project> projects = load_projects(session, options, folders);
  for (const Project& project : projects) hide_secrets(session.host().environment, project);
  return projects;
}

}  // namespace trainmake
