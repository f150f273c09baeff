#include "engine/container/programs.h"

#include <algorithm>

#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "engine/container/merged.h"

namespace trainmake {
namespace {

bool is_program(const ProgramPlaces& places, const std::string& path) {
  const bool is_mounted =
      std::any_of(places.mounts.begin(), places.mounts.end(),
                  [&](const ContainerMount& mount) { return path_below(path, mount.at).has_value(); });
  if (is_mounted) return true;
  const std::optional<MergedPath> found = follow_merged(places.layers, path);
  return found && found->entry && (found->entry->stat.st_mode & 0111U) != 0 && !found->entry->is_folder();
}

}  // namespace

Result<void> check_program(const ProgramPlaces& places, const std::string& name) {
  if (name.find('/') != name.npos) {
    if (is_program(places, path_join(places.folder, name))) return {};
    return fail(
        step_error(cat("The image has no ", quoted(name), " to run a command with"),
                   "Build it on a base that has a shell; if it has one, `--force` unpacks its layers anew"));
  }
  for (const std::string& folder : split(places.path, ':')) {
    if (is_program(places, path_join(folder, name))) return {};
  }
  return fail(step_error(cat("The image has no program ", quoted(name), " in its PATH ", quoted(places.path)),
                         "Build it on a base that has it; if it has one, `--force` unpacks its layers anew"));
}

}  // namespace trainmake
