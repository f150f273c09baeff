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

Result<Looked> look_at(Host& host, const std::string& path) {
  Looked looked;
  TRY_ASSIGN(looked.itself, host.files.look(path));
  looked.target = looked.itself;
  if (looked.itself.is(FileKind::kLink)) {
    TRY_ASSIGN(looked.target, host.files.look(path, Links::kFollow));
  }
  return looked;
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

// Up to the root, which is there for what it tells of those in it.
Result<void> add_way_to(Host& host, const Workspace& workspace, std::string folder, Folders& folders) {
  while (!folders.contains(folder)) {
    TRY_ASSIGN(const Looked looked, look_at(host, workspace.path(folder)));
    folders[folder] = looked;
    if (looked.itself.is(FileKind::kLink)) {
      TRY_ASSIGN(const std::string real, follow_links(host.files, workspace.path(folder)));
      TRY(add_way_to(host, workspace, path_below(real, workspace.root).value_or(real), folders));
    }
    if (is_root(folder)) break;
    folder = std::string(path_folder(folder));
  }
  return {};
}

Result<Folders> look_at_folders(Host& host, const Workspace& workspace, const std::vector<GivenTree>& trees) {
  Folders folders;
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      if (!file.source.empty())
        TRY(add_way_to(host, workspace, std::string(path_folder(file.source)), folders));
    }
  }
  return folders;
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
  const std::string above(path_folder(folder));
  if (!was_touched(folder, now, since) || !was_touched(above, folders.at(above), since)) return false;
  return !since.sight || since.sight->moves->told_of(workspace.path(folder)) != MoveWatch::Told::kStayed;
}

Result<std::vector<std::string>> doubtful_folders(Host& host, const Workspace& workspace,
                                                  const std::vector<GivenTree>& trees, const Since& since) {
  std::vector<std::string> doubtful;
  TRY_ASSIGN(const Folders folders, look_at_folders(host, workspace, trees));
  for (const auto& [folder, now] : folders) {
    if (!is_root(folder) && may_have_been_elsewhere(workspace, folder, folders, since))
      doubtful.push_back(folder);
  }
  return doubtful;
}

}  // namespace

Result<Sight> sight_of(Host& host, const Workspace& workspace, const std::vector<GivenTree>& trees) {
  Sight sight;
  // Listens before it looks: what is renamed in between is heard of.
  sight.moves = std::make_shared<MoveWatch>();
  TRY_ASSIGN(sight.folders, look_at_folders(host, workspace, trees));
  for (const auto& [folder, looked] : sight.folders) {
    if (!is_root(folder)) sight.moves->add(workspace.path(folder));
  }
  TRY_ASSIGN(sight.folders, look_at_folders(host, workspace, trees));
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      if (file.source.empty()) continue;
      TRY_ASSIGN(const Looked looked, look_at(host, workspace.path(file.source)));
      sight.files.push_back(digest_of(looked));
    }
  }
  return sight;
}

Result<InPlace> look_in_place(Host& host, const Workspace& workspace, FileDigests& digests,
                              const std::vector<GivenTree>& trees, const Since& since) {
  InPlace found;
  TRY_ASSIGN(found.doubtful, doubtful_folders(host, workspace, trees, since));
  std::size_t seen = 0;  // of the sight
  const std::int64_t looked_at_ns = host.clock.now_ns();
  for (const GivenTree& tree : trees) {
    TRY_ASSIGN(const Label label, parse_label(tree.label, ""));
    std::vector<Given> given;
    for (const ListedFile& file : *tree.files) {
      if (file.source.empty()) continue;
      std::string path = path_below(file.source, label.folder).value_or(file.source);
      TRY_ASSIGN(const Looked looked, look_at(host, workspace.path(file.source)));
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
  std::erase_if(found.doubtful, [&](const std::string& path) {
    return std::find(found.changed.begin(), found.changed.end(), path) != found.changed.end();
  });
  return found;
}

}  // namespace trainmake
