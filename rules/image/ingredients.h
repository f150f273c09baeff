// What of the workspace an image is made of: the files and the code that lie in it, and what its steps or its
// Dockerfile read. Makes nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/rule.h"
#include "rules/image/layer.h"
#include "rules/image/services.h"

namespace trainmake {

// A tree of `files`.
struct FileTree {
  std::string dest;  // absolute folder in the image
  Listing files;
  std::string identity;
};
using FileTrees = std::vector<FileTree>;

Result<FileTrees> file_trees(const ImageServices& services, const Target& image, Looks& looks);
// What `run` steps read: in no layer.
Result<FileTree> step_inputs(const ImageServices& services, const Target& image, Looks& looks);

Result<FileTree> dockerfile_context(const ImageServices& services, const Target& image, Looks& looks);

// A tree of code: what its target left, nothing when that is not known yet.
struct CodeTree {
  const Target* target = nullptr;
  const Artifact* artifact = nullptr;
};
std::vector<CodeTree> code_trees(const Subject& image);
// As far as the files of code are known: that no two trees bring different files to one path, or a file to
// where another has a folder, and that no name is one by which a layer deletes.
Result<void> check_paths(const ImageServices& services, const Subject& image, const FileTrees& files);
// That no `files` go where a base has a link to another folder, which they would replace.
Result<void> check_places(const Target& image, const FileTrees& trees);

// What is put into an image, and what its steps read, as `describe` found it.
struct Ingredients {
  FileTrees files;
  FileTree inputs;
  FileTree context;  // of a `dockerfile`: itself and `inputs`, by their paths from the project's folder
};

// The layer that a tree becomes. Borrows the tree.
LayerSource source_of(const FileTree& tree, Compression compression);
LayerSource source_of(const ImageServices& services, const CodeTree& tree, Compression compression);

}  // namespace trainmake
