#include "engine/cli/typed_path.h"

namespace trainmake {

std::string typed_path(const Session& session, const std::string& path) {
  return absolute_path(path_join(absolute_path(session.line().value("--directory").value_or("")), path));
}

}  // namespace trainmake
