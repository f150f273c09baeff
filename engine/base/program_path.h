// Where a program would be found by its name, as whoever starts it looks it up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/file_system.h"

namespace trainmake {

bool is_program(FileSystem& files, const std::string& path);
// In the folders that `variable`, a PATH, names from the root; those that it names from elsewhere are passed
// over.
std::optional<std::string> find_in_path(FileSystem& files, std::string_view variable,
                                        const std::string& name);

}  // namespace trainmake
