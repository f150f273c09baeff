// Locks between processes, over flock(2): a lock belongs to the open file, so it goes with the process
// however that ends. Asked for through FileSystem::lock; waited for here.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/base/host.h"

namespace trainmake {

// Of the real file system. An empty optional when somebody else holds it.
Result<std::optional<FileLock>> try_lock(const std::string& path, FileLock::Mode mode);

struct LockWait {
  std::stop_token stop = {};
  bool may_wait = true;
  std::function<void()> on_wait = {};  // once, when somebody else holds it
};
// An empty optional when somebody else holds it and it may not wait.
Result<std::optional<FileLock>> wait_for_lock(const Host& host, const std::string& path, FileLock::Mode mode,
                                              const LockWait& wait);

}  // namespace trainmake
