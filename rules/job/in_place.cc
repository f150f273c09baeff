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

struct Looked {
  Stat itself;  // what stands at the path, a link perhaps
  Stat file;    // where that leads
};

Result<Looked> look_at(Host& host, const std::string& path) {
  Looked looked;
  TRY_ASSIGN(looked.itself, host.files.look(path));
  looked.file = looked.itself;
  if (looked.itself.is(FileKind::kLink)) {
    TRY_ASSIGN(looked.file, host.files.look(path, Links::kFollow));
  }
  return looked;
}

Digest128 digest_of(const Looked& looked) {
  Hasher hasher;
  for (const Stat& stat : {looked.itself, looked.file}) {
    hasher.number(static_cast<std::uint64_t>(stat.kind))
        .number(stat.size)
        .number(stat.inode)
        .number(stat.mode);
    hasher.number(static_cast<std::uint64_t>(stat.mtime_ns))
        .number(static_cast<std::uint64_t>(stat.ctime_ns));
  }
  return hasher.finish();
}

}  // namespace

Result<Sight> sight_of(Host& host, const Workspace& workspace, const std::vector<GivenTree>& trees) {
  Sight sight;
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      if (file.source.empty()) continue;
      TRY_ASSIGN(const Looked looked, look_at(host, workspace.path(file.source)));
      sight.push_back(digest_of(looked));
    }
  }
  return sight;
}

Result<InPlace> look_in_place(Host& host, const Workspace& workspace, FileDigests& digests,
                              const std::vector<GivenTree>& trees, const Since& since) {
  InPlace found;
  std::size_t seen = 0;  // of the sight
  const std::int64_t looked_at_ns = host.clock.now_ns();
  for (const GivenTree& tree : trees) {
    TRY_ASSIGN(const Label label, parse_label(tree.label, ""));
    std::vector<Given> given;
    for (const ListedFile& file : *tree.files) {
      if (file.source.empty()) continue;
      std::string path = path_below(file.source, label.folder).value_or(file.source);
      TRY_ASSIGN(const Looked looked, look_at(host, workspace.path(file.source)));
      const bool touched = since.sight ? (*since.sight)[seen++] != digest_of(looked)
                                       : std::max(looked.itself.ctime_ns, looked.file.ctime_ns) >= since.ns;
      if (!looked.file.is(FileKind::kFile) || looked.file.size != file.size) {
        found.changed.push_back(std::move(path));
        continue;
      }
      if (touched) found.doubtful.push_back(path);
      given.push_back({{std::move(path), looked.file, {}}, file.content});
    }
    TRY(compare(digests, label.folder, std::move(given), looked_at_ns, found.changed));
  }
  std::erase_if(found.doubtful, [&](const std::string& path) {
    return std::find(found.changed.begin(), found.changed.end(), path) != found.changed.end();
  });
  return found;
}

}  // namespace trainmake
