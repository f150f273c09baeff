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
  std::vector<Other> others;  // those that are not it
};
enum class Tried : std::uint8_t { kUntilOneWorks, kAll };

struct RuntimeWish {
  std::string name = {};  // of the only one that will do; "" is any
  // Not for steps of images: apptainer leaves places in the root folder, which would be part of a layer.
  bool for_jobs = false;
};
// What `name` may be.
const std::vector<std::string>& runtime_names();

// Tries crun, runc, bubblewrap, whatever podman starts containers with and, for jobs, apptainer, in that
// order, in folders of its own below `scratch`.
Result<RuntimeSearch> search_runtime(Host& host, const std::string& scratch, Tried tried,
                                     const RuntimeWish& wish = {});
// Where that is remembered, beside a folder of unpacked layers.
std::string runtime_memo(const std::string& unpacked_layers);
// The same, remembered in `memo` until the machine is started again; an error when none works, which is not.
Result<Runtime> find_runtime(Host& host, const std::string& scratch, const std::string& memo,
                             const RuntimeWish& wish = {});

}  // namespace trainmake
