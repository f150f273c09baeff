// What a job left in its folder of a store, brought to this machine; and what it goes on from, put there
// before it starts. Knows nothing of the service.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/stores/store.h"
#include "engine/base/host.h"
#include "rules/job/job_spec.h"

namespace trainmake {

inline constexpr const char* kCheckpoints = "checkpoint";  // in the output folder

struct Bringing {
  Store& store;
  std::string prefix;              // with a slash at its end
  std::vector<std::string> paths;  // below it: files, or folders with all that they hold; "" is all
  std::string to;                  // a folder of this machine
  std::stop_token stop;
};
// What is there already, and whole, is not brought again.
Result<void> bring(Host& host, const Bringing& wanted);
// Below `prefix`, where the job finds it as its own.
Result<void> put_checkpoint(Store& store, const std::string& prefix, const Checkpoint& checkpoint,
                            const Blobs& blobs, const std::stop_token& stop);

}  // namespace trainmake
