// Which of the runtimes on this machine works, each tried out with a container of one small program.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/container/container.h"

namespace trainmake {

struct RuntimeSearch {
  struct Other {
    std::string name;
    std::string why_not;
  };
  std::optional<Runtime> found;
  std::vector<Other> others;  // tried before it
};

std::string_view name_of(Runtime::Kind kind);

// Tries crun, runc and bubblewrap in that order, in folders of its own below `scratch`.
Result<RuntimeSearch> search_runtime(Host& host, const std::string& scratch);
// The same, remembered in `memo` until the machine is started again; an error when none works, which is not.
Result<Runtime> find_runtime(Host& host, const std::string& scratch, const std::string& memo);

}  // namespace trainmake
