#include "rules/job/in_place.h"

#include <algorithm>

#include "engine/model/label.h"

namespace trainmake {
namespace {

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

Result<std::map<std::string, Looked>> look_at_folders(Host& host, const Workspace& workspace,
                                                      const std::vector<GivenTree>& trees) {
  std::map<std::string, Looked> folders;
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      std::string folder(path_folder(file.source));
      for (; !folder.empty() && !folders.contains(folder); folder = std::string(path_folder(folder))) {
        TRY_ASSIGN(folders[folder], look_at(host, workspace.path(folder)));
      }
    }
  }
  return folders;
}

// Renaming a folder changes its ctime alone; making or removing an entry in it sets mtime and ctime to one
// instant, and is no reason to doubt what else lies there. So it is with ext4, xfs, btrfs, tmpfs and
// overlayfs. A rename before such an entry is not seen.
bool changed_its_ctime_alone(const Stat& folder) { return folder.ctime_ns != folder.mtime_ns; }

bool may_have_been_elsewhere(const Looked& now, const Looked& before) {
  if (now.itself.is(FileKind::kLink) && now.itself != before.itself) return true;
  if (now.target.inode != before.target.inode) return true;
  return now.target.ctime_ns != before.target.ctime_ns && changed_its_ctime_alone(now.target);
}

bool may_have_been_elsewhere(const Looked& now, std::int64_t since_ns) {
  if (now.itself.is(FileKind::kLink) && now.itself.ctime_ns >= since_ns) return true;
  return now.target.ctime_ns >= since_ns && changed_its_ctime_alone(now.target);
}

Result<std::vector<std::string>> doubtful_folders(Host& host, const Workspace& workspace,
                                                  const std::vector<GivenTree>& trees, const Since& since) {
  std::vector<std::string> doubtful;
  TRY_ASSIGN(const auto folders, look_at_folders(host, workspace, trees));
  for (const auto& [folder, now] : folders) {
    const bool moved = since.sight ? may_have_been_elsewhere(now, since.sight->folders.at(folder))
                                   : may_have_been_elsewhere(now, since.ns);
    if (moved) doubtful.push_back(folder);
  }
  return doubtful;
}

}  // namespace

Result<Sight> sight_of(Host& host, const Workspace& workspace, const std::vector<GivenTree>& trees) {
  Sight sight;
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
