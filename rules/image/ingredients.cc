#include "rules/image/ingredients.h"

#include "cache/secret_files.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// The files of `code`, as they were when it ran.
Result<Listing> snapshot(Blobs& blobs, const Artifact& tree, const Label& code) {
  const std::optional<Sha256> digest = Sha256::parse(tree.sha256);
  CHECK(digest.has_value());
  TRY_ASSIGN(const std::optional<std::string> bytes, blobs.read(*digest));
  std::optional<Listing> listing = bytes ? decode_listing(*bytes) : std::nullopt;
  if (!listing)
    return fail(step_error(cat("The snapshot of ", quoted(code.text()), " is damaged and was removed"),
                           "Run again: it is made anew"));
  return *std::move(listing);
}

Result<FileSet> read_files(const ImageServices& services, const Target& image, const Value* files,
                           const char* attribute, std::optional<std::string> root = std::nullopt) {
  return services.file_sets.read(
      {image.label.folder, files, std::move(root), "", Links::kKeep, false, image.place_of(attribute)});
}

FileTree tree_of(FileSet set, std::string dest) {
  std::string identity = tree_identity(set.files, true).hex();
  return {std::move(dest), std::move(set.files), std::move(identity)};
}

}  // namespace

Result<FileTrees> file_trees(const ImageServices& services, const Target& image, Looks& looks) {
  FileTrees trees;
  const Value* files = image.find("files");
  if (files == nullptr) return trees;
  for (const Value& entry : files->table()->items) {
    std::string dest = *entry.table()->find("dest")->string();
    while (dest.size() > 1 && dest.ends_with('/')) dest.pop_back();
    TRY_ASSIGN(FileSet set, read_files(services, image, entry.table()->find("srcs"), "files"));
    TRY(refuse_secret_files(set, image, "files"));
    looks.add(set.looks);
    trees.push_back(tree_of(std::move(set), std::move(dest)));
  }
  return trees;
}

Result<FileTree> step_inputs(const ImageServices& services, const Target& image, Looks& looks) {
  const Value* files = image.find("inputs");
  if (files == nullptr) return FileTree();
  TRY_ASSIGN(FileSet set, read_files(services, image, files, "inputs"));
  looks.add(set.looks);
  return tree_of(std::move(set), "");
}

Result<FileTree> dockerfile_context(const ImageServices& services, const Target& image, Looks& looks) {
  const Value* dockerfile = image.find("dockerfile");
  if (dockerfile == nullptr) return FileTree();
  Value all;
  all.data = Table{{*dockerfile}, {}};
  if (const Value* inputs = image.find("inputs")) {
    auto& items = std::get<Table>(all.data).items;
    if (const Table* list = inputs->table())
      items.insert(items.end(), list->items.begin(), list->items.end());
    else
      items.push_back(*inputs);
  }
  TRY_ASSIGN(FileSet set, read_files(services, image, &all, "dockerfile", ""));
  looks.add(set.looks);
  return tree_of(std::move(set), "");
}

std::vector<CodeTree> code_trees(const Subject& image) {
  std::vector<CodeTree> trees;
  for (const Dependency& need : image.target().needs) {
    if (need.attribute != "code") continue;
    const Artifacts* artifacts = image.inputs.artifacts(need.target);
    trees.push_back(
        {&image.graph[need.target], artifacts == nullptr ? nullptr : find_role(*artifacts, "tree")});
  }
  return trees;
}

LayerSource source_of(const FileTree& tree, Compression compression) {
  return {{tree.identity, tree.dest, compression}, [&tree]() -> Result<Listing> { return tree.files; }};
}

LayerSource source_of(const ImageServices& services, const CodeTree& tree, Compression compression) {
  CHECK(tree.artifact != nullptr);
  return {{tree.artifact->identity, std::string(kCodeFolder), compression},
          [&services, tree] { return snapshot(services.blobs, *tree.artifact, tree.target->label); }};
}

std::vector<RunStep> steps_of(const ImageServices& services, const Target& image, const FileTree& inputs,
                              const std::stop_token& stop) {
  const Value* network = image.find("network");
  std::vector<RunStep> steps;
  for (std::string& command : image.strings("run"))
    steps.push_back({std::move(command), network != nullptr && *network->boolean(), image.strings("secrets"),
                     inputs.identity, [&services, &inputs, stop] {
                       return services.file_sets.store(inputs.files, services.blobs, stop);
                     }});
  return steps;
}

}  // namespace trainmake
