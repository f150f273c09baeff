#include "rules/job/in_place.h"

#include <algorithm>

#include "engine/model/label.h"

namespace trainmake {
namespace {

bool is_root(std::string_view folder) { return folder.empty() || folder == "/"; }

struct Given {
  WalkedFile file;
  Digest128 content;
};

Result<void> compare(FileDigests& digests, const std::string& folder, std::vector<Given> given,
                     std::int64_t looked_at_ns, std::vector<std::string>& changed) {
  std::sort(given.begin(), given.end(),
            [](const Given& a, const Given& b) { return a.file.path < b.file.path; });
  std::vector<WalkedFile> files;
  for (Given& one : given) files.push_back(std::move(one.file));
  TRY_ASSIGN(const FileDigests::Digested now, digests.digest(folder, files, looked_at_ns));
  changed.insert(changed.end(), now.unsteady.begin(), now.unsteady.end());
  if (!now.unsteady.empty()) return {};
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (now.digests[i] != given[i].content) changed.push_back(files[i].path);
  }
  return {};
}

Digest128 digest_of(const Looked& looked) {
  Hasher hasher;
  for (const Stat& stat : {looked.itself, looked.target}) {
    hasher.number(static_cast<std::uint64_t>(stat.kind))
        .number(stat.size)
        .number(stat.inode)
        .number(stat.mode);
    hasher.number(static_cast<std::uint64_t>(stat.mtime_ns))
        .number(static_cast<std::uint64_t>(stat.ctime_ns));
  }
  return hasher.finish();
}

using Folders = std::map<std::string, Looked>;

// `links` are those of the files that are some, by their paths in the workspace.
Result<Folders> look_at_folders(Host& host, const Workspace& workspace, const std::vector<GivenTree>& trees,
                                const std::vector<std::string>& links) {
  Ways ways(host, workspace);
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      if (!file.source.empty()) TRY(ways.add_folder(std::string(path_folder(workspace.path(file.source)))));
    }
  }
  for (const std::string& link : links) TRY(ways.add_link(workspace.path(link)));
  return ways.take();
}

// A link tells by itself whether it led elsewhere; what it leads to is looked at as a folder.
bool is_another(const Looked& now, const Looked& before) {
  if (now.itself.is(FileKind::kLink) || before.itself.is(FileKind::kLink)) return now.itself != before.itself;
  return now.target.inode != before.target.inode;
}

bool was_touched(const std::string& folder, const Looked& now, const Since& since) {
  if (!since.sight) return now.target.ctime_ns >= since.ns;
  const auto before = since.sight->folders.find(folder);
  return before == since.sight->folders.end() || now.target.ctime_ns != before->second.target.ctime_ns;
}

// Renaming a folder changes its ctime and that of the folder which it lies in. So do entries that come and go
// in both, and which of the two it was only the kernel tells, to whoever listened.
bool may_have_been_elsewhere(const Workspace& workspace, const std::string& folder, const Folders& folders,
                             const Since& since) {
  const Looked& now = folders.at(folder);
  if (since.sight) {
    const auto before = since.sight->folders.find(folder);
    if (before == since.sight->folders.end() || is_another(now, before->second)) return true;
  } else if (now.itself.is(FileKind::kLink) && now.itself.ctime_ns >= since.ns) {
    return true;
  }
  if (now.itself.is(FileKind::kLink)) return false;
  const auto above = folders.find(std::string(path_folder(folder)));
  if (above == folders.end()) return true;
  if (!was_touched(folder, now, since) || !was_touched(above->first, above->second, since)) return false;
  return !since.sight || since.sight->moves->told_of(workspace.path(folder)) != MoveWatch::Told::kStayed;
}

std::vector<std::string> doubtful_of(const Workspace& workspace, const Folders& folders, const Since& since) {
  std::vector<std::string> doubtful;
  for (const auto& [folder, now] : folders) {
    if (!is_root(folder) && may_have_been_elsewhere(workspace, folder, folders, since))
      doubtful.push_back(folder);
  }
  return doubtful;
}

}  // namespace

Result<Sight> sight_of(Host& host, const Workspace& workspace, const std::vector<GivenTree>& trees) {
  Sight sight;
  std::vector<std::string> links;
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      if (file.source.empty()) continue;
      TRY_ASSIGN(const Looked looked, look_at(host, workspace.path(file.source)));
      sight.files.push_back(digest_of(looked));
      if (looked.itself.is(FileKind::kLink)) links.push_back(file.source);
    }
  }
  // Listens before it looks: what is renamed in between is heard of.
  sight.moves = std::make_shared<MoveWatch>();
  TRY_ASSIGN(sight.folders, look_at_folders(host, workspace, trees, links));
  for (const auto& [folder, looked] : sight.folders) {
    if (!is_root(folder)) sight.moves->add(workspace.path(folder));
  }
  TRY_ASSIGN(sight.folders, look_at_folders(host, workspace, trees, links));
  return sight;
}

Result<InPlace> look_in_place(Host& host, const Workspace& workspace, FileDigests& digests,
                              const std::vector<GivenTree>& trees, const Since& since) {
  InPlace found;
  std::vector<std::string> links;
  std::size_t seen = 0;  // of the sight
  const std::int64_t looked_at_ns = host.clock.now_ns();
  for (const GivenTree& tree : trees) {
    TRY_ASSIGN(const Label label, parse_label(tree.label, ""));
    std::vector<Given> given;
    for (const ListedFile& file : *tree.files) {
      if (file.source.empty()) continue;
      std::string path = path_below(file.source, label.folder).value_or(file.source);
      TRY_ASSIGN(const Looked looked, look_at(host, workspace.path(file.source)));
      if (looked.itself.is(FileKind::kLink)) links.push_back(file.source);
      const bool touched = since.sight ? since.sight->files[seen++] != digest_of(looked)
                                       : std::max(looked.itself.ctime_ns, looked.target.ctime_ns) >= since.ns;
      if (!looked.target.is(FileKind::kFile) || looked.target.size != file.size) {
        found.changed.push_back(std::move(path));
        continue;
      }
      if (touched) found.doubtful.push_back(path);
      given.push_back({{std::move(path), looked.target, {}}, file.content});
    }
    TRY(compare(digests, label.folder, std::move(given), looked_at_ns, found.changed));
  }
  TRY_ASSIGN(const Folders folders, look_at_folders(host, workspace, trees, links));
  const std::vector<std::string> elsewhere = doubtful_of(workspace, folders, since);
  found.doubtful.insert(found.doubtful.begin(), elsewhere.begin(), elsewhere.end());
  std::erase_if(found.doubtful, [&](const std::string& path) {
    return std::find(found.changed.begin(), found.changed.end(), path) != found.changed.end();
  });
  return found;
}

}  // namespace trainmake
