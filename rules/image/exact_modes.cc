#include "rules/image/exact_modes.h"

#include <sys/stat.h>

#include <cerrno>
#include <set>

#include "engine/base/file_system.h"

namespace trainmake {
namespace {

constexpr mode_t kFolder = 0755;

Result<void> set(const std::string& path, mode_t mode) {
  if (::chmod(path.c_str(), mode) == 0) return {};
  return fail(system_error("Cannot set the mode of", path, errno));
}

}  // namespace

Result<void> set_exact_modes(const Listing& files, const std::string& folder) {
  TRY(set(folder, kFolder));
  std::set<std::string> done;
  for (const ListedFile& file : files) {
    for (std::string_view above = path_folder(file.key); !above.empty(); above = path_folder(above)) {
      if (!done.emplace(above).second) break;
      TRY(set(path_join(folder, above), kFolder));
    }
    if (file.link_target.empty()) TRY(set(path_join(folder, file.key), file.mode != 0 ? file.mode : 0644));
  }
  return {};
}

}  // namespace trainmake
