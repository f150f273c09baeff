// How much lies below a path, and removing what is not wanted in a folder. Follows no link.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "engine/base/file_system.h"

namespace trainmake {

struct Swept {
  std::uint64_t count = 0, bytes = 0;
};

Result<std::uint64_t> tree_size(FileSystem& files,
                                const std::string& path);  // bytes; 0 when there is nothing
// Removes every entry of `folder` but those that `keep` wants by name; returns the bytes that went, as far as
// they can be told. Fine when there is no folder.
Result<std::uint64_t> remove_others(FileSystem& files, const std::string& folder,
                                    const std::function<bool(const std::string&)>& keep);

}  // namespace trainmake
