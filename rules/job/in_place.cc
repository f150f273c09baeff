#include "rules/job/in_place.h"

#include "engine/model/label.h"

namespace trainmake {
namespace {

struct Files {
  std::vector<WalkedFile> walked;
  std::vector<const ListedFile*> listed;  // in the same order
};

Result<void> compare(FileDigests& digests, const std::string& folder, const Files& files,
                     std::int64_t looked_at_ns, std::vector<std::string>& changed) {
  TRY_ASSIGN(const FileDigests::Digested now, digests.digest(folder, files.walked, looked_at_ns));
  changed.insert(changed.end(), now.unsteady.begin(), now.unsteady.end());
  if (!now.unsteady.empty()) return {};
  for (std::size_t i = 0; i < files.listed.size(); ++i) {
    if (now.digests[i] != files.listed[i]->content) changed.push_back(files.walked[i].path);
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> changed_in_place(Host& host, const Workspace& workspace,
                                                  FileDigests& digests, const std::vector<GivenTree>& trees) {
  std::vector<std::string> changed;
  const std::int64_t looked_at_ns = host.clock.now_ns();
  for (const GivenTree& tree : trees) {
    TRY_ASSIGN(const Label label, parse_label(tree.label, ""));
    Files files;
    for (const ListedFile& file : *tree.files) {
      if (file.source.empty()) continue;
      std::string path = path_below(file.source, label.folder).value_or(file.source);
      TRY_ASSIGN(const Stat stat, host.files.look(workspace.path(file.source), Links::kFollow));
      if (!stat.is(FileKind::kFile) || stat.size != file.size) {
        changed.push_back(std::move(path));
        continue;
      }
      files.walked.push_back({std::move(path), stat, {}});
      files.listed.push_back(&file);
    }
    TRY(compare(digests, label.folder, files, looked_at_ns, changed));
  }
  return changed;
}

}  // namespace trainmake
