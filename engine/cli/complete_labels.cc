#include "engine/cli/complete_labels.h"

#include <algorithm>
#include <deque>

#include "engine/base/text.h"
#include "lua/load.h"

namespace trainmake {
namespace {

constexpr int kMostLists = 200;  // of folders; a person waits for the answer

bool is_hidden(const FolderEntry& entry) {
  return entry.kind != FileKind::kFolder || entry.name.starts_with('.');
}

// Whether a project lies in `folder` or below it, as far as `lists_left` folders tell; when they do not, it
// may.
bool leads_to_project(Session& session, const std::string& folder, int& lists_left) {
  std::deque<std::string> waiting = {folder};
  while (!waiting.empty() && lists_left-- > 0) {
    const std::string at = std::move(waiting.front());
    waiting.pop_front();
    const Result<std::vector<FolderEntry>> entries = session.host().files.list(session.workspace().path(at));
    if (!entries) continue;
    for (const FolderEntry& entry : *entries) {
      if (entry.name == kTrainfile) return true;
      if (!is_hidden(entry)) waiting.push_back(path_join(at, entry.name));
    }
  }
  return !waiting.empty();
}

void add_targets(Session& session, const std::string& folder, const std::string& typed,
                 std::vector<std::string>& candidates) {
  const Result<std::vector<Project>> projects = load_declared(session, {Pattern{folder, false, "*", "*"}});
  if (!projects) return;
  for (const Project& project : *projects) {
    for (const Declaration& declaration : project.declarations)
      candidates.push_back(cat(typed, declaration.kind, ":", declaration.name));
  }
}

void add_folders(Session& session, const std::string& folder, const std::string& typed,
                 std::string_view begun, std::vector<std::string>& candidates) {
  const Result<std::vector<FolderEntry>> entries =
      session.host().files.list(session.workspace().path(folder));
  if (!entries) return;
  int lists_left = kMostLists;
  for (const FolderEntry& entry : *entries) {
    if (is_hidden(entry) || !entry.name.starts_with(begun)) continue;
    if (leads_to_project(session, path_join(folder, entry.name), lists_left))
      candidates.push_back(cat(typed, entry.name, "/"));
  }
}

}  // namespace

std::vector<std::string> label_candidates(Session& session, const std::string& word) {
  const std::size_t slash = word.substr(0, word.find(':')).rfind('/');
  const std::string typed =
      slash == std::string::npos ? std::string() : word.substr(0, slash + 1);  // the folder, as written
  const std::string begun = word.substr(typed.size());
  const std::string& current = session.position().current;
  const std::optional<std::string> folder =
      typed.starts_with("//") ? path_clean(typed.substr(2)) : path_clean(path_join(current, typed));
  std::vector<std::string> candidates;
  if (!folder || typed == "/") return word == "/" ? std::vector<std::string>{"//"} : candidates;
  add_targets(session, typed.empty() ? session.here() : *folder, typed, candidates);
  if (begun.find(':') == std::string::npos) add_folders(session, *folder, typed, begun, candidates);
  if (begun.starts_with('.') || word == "//") candidates.push_back(cat(typed, "..."));
  std::erase_if(candidates, [&](const std::string& candidate) { return !candidate.starts_with(word); });
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  return candidates;
}

}  // namespace trainmake
