// A look at a folder that is to have certain entries and no others: what is missing in it, and what is too
// much. Many looks at once, for each may be a question over a network. Reads no file. Thread rule: any
// thread.
#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/base/file_system.h"

namespace trainmake {

inline constexpr unsigned kLooksAtOnce = 16;

struct TreeEntry {
  std::string path;  // below the tree
  FileKind kind = FileKind::kFile;
  std::string text = {};  // of a link
};

struct TreeFaults {
  std::vector<std::size_t> missing;       // entries that are not there, or are something else
  std::vector<std::string> surplus;       // paths below the tree
  std::vector<std::string> open_folders;  // that may be written to, in full
};

// Those that the entries lie in or are, "" among them, those above first.
std::set<std::string> folders_of(std::span<const TreeEntry> entries);

Result<TreeFaults> faults_of(FileSystem& files, const std::string& tree, std::span<const TreeEntry> entries);

}  // namespace trainmake
