#include "engine/base/program_path.h"

#include "engine/base/text.h"

namespace trainmake {

bool is_program(FileSystem& files, const std::string& path) {
  const auto found = files.look(path, Links::kFollow);
  return found && found->is(FileKind::kFile) && (found->mode & 0111U) != 0;
}

std::optional<std::string> find_in_path(FileSystem& files, std::string_view variable,
                                        const std::string& name) {
  for (const std::string& folder : split(variable, ':')) {
    std::string path = path_join(folder, name);
    if (folder.starts_with('/') && is_program(files, path)) return path;
  }
  return std::nullopt;
}

}  // namespace trainmake
