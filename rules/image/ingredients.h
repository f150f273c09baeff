// What an image is made of on top of its base: the files and the code that lie in it, as trees. Read-only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/rule.h"
#include "rules/image/layer.h"
#include "rules/image/services.h"

namespace trainmake {

inline constexpr std::string_view kCodeFolder = "/code";  // of the default contract

// A tree of `files`.
struct FileTree {
  std::string dest;  // absolute folder in the image
  Listing files;
  std::string identity;
};
using FileTrees = std::vector<FileTree>;

Result<FileTrees> file_trees(const ImageServices& services, const Target& image, Looks& looks);

// A tree of code: what its target left, nothing when that is not known yet.
struct CodeTree {
  const Target* target = nullptr;
  const Artifact* artifact = nullptr;
};
std::vector<CodeTree> code_trees(const Subject& image);

// The layer that a tree becomes. Borrows the tree.
LayerSource source_of(const FileTree& tree, Compression compression);
LayerSource source_of(const ImageServices& services, const CodeTree& tree, Compression compression);

}  // namespace trainmake
