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

}  // namespace

Result<InPlace> look_in_place(Host& host, const Workspace& workspace, FileDigests& digests,
                              const std::vector<GivenTree>& trees, std::int64_t since_ns) {
  InPlace found;
  const std::int64_t looked_at_ns = host.clock.now_ns();
  for (const GivenTree& tree : trees) {
    TRY_ASSIGN(const Label label, parse_label(tree.label, ""));
    std::vector<Given> given;
    for (const ListedFile& file : *tree.files) {
      if (file.source.empty()) continue;
      std::string path = path_below(file.source, label.folder).value_or(file.source);
      TRY_ASSIGN(const Stat itself, host.files.look(workspace.path(file.source)));
      Stat stat = itself;
      if (itself.is(FileKind::kLink)) {
        TRY_ASSIGN(stat, host.files.look(workspace.path(file.source), Links::kFollow));
      }
      if (!stat.is(FileKind::kFile) || stat.size != file.size) {
        found.changed.push_back(std::move(path));
        continue;
      }
      if (std::max(itself.ctime_ns, stat.ctime_ns) >= since_ns) found.doubtful.push_back(path);
      given.push_back({{std::move(path), stat, {}}, file.content});
    }
    TRY(compare(digests, label.folder, std::move(given), looked_at_ns, found.changed));
  }
  std::erase_if(found.doubtful, [&](const std::string& path) {
    return std::find(found.changed.begin(), found.changed.end(), path) != found.changed.end();
  });
  return found;
}

}  // namespace trainmake
