// What overlayfs shows of layers that lie one above the other, told without a mount. Reads only.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trainmake {

struct MergedEntry {
  std::string path;  // in the layer that it is seen of
  struct stat stat {};
  std::vector<std::string> folders;  // of a folder: those it is merged of, the top one first

  bool is_folder() const { return S_ISDIR(stat.st_mode); }
};

// As overlayfs has it: what hides a name of the layers below, and what hides all of a folder.
bool is_whiteout(const struct stat& stat);
bool is_opaque(const std::string& folder);

// `name` in a folder that is merged of `folders`, the top one first.
std::optional<MergedEntry> find_merged(const std::vector<std::string>& folders, std::string_view name);

// An absolute path in a root folder merged of `layers`, every link on the way followed within it; what is
// missing at the end stays as it is. Nothing when the links go round in circles.
struct MergedPath {
  std::string path;  // without links
  std::optional<MergedEntry> entry;
};
std::optional<MergedPath> follow_merged(const std::vector<std::string>& layers, std::string_view path);

}  // namespace trainmake
