// Many locks in one file, each a byte of it: a thousand that are held are one open file. Between processes as
// well as within this one. Thread rule: any thread.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/base/host.h"

namespace trainmake {

class LockTable {
 public:
  // Made when missing, with the first lock.
  explicit LockTable(std::string path);
  // An empty optional when somebody else holds it.
  Result<std::optional<FileLock>> try_lock(std::string_view name);
  // Until nobody else holds it; an error when that is stopped.
  Result<FileLock> wait(std::string_view name, Clock& clock, const std::stop_token& stop = {});

 private:
  struct Inside;
  std::shared_ptr<Inside> inside_;  // with every lock, too
};

}  // namespace trainmake
