// A folder to work in that is gone when the work is, also when its owner is killed: whoever works beside it
// next removes what the dead left. What lies in it may be secret.
#pragma once

#include <memory>
#include <string>

#include "engine/base/host.h"
#include "engine/base/temporary_folder.h"

namespace trainmake {

class WorkingFolder {
 public:
  // Below `above`, where nothing but such folders lies.
  static Result<std::unique_ptr<WorkingFolder>> make(Host& host, const std::string& above);

  std::string path(std::string_view name = {}) const { return folder_.path(name); }

 private:
  WorkingFolder(FileSystem& files, const std::string& path, FileLock alive);

  FileLock alive_;
  TemporaryFolder lock_file_;
  TemporaryFolder folder_;
};

}  // namespace trainmake
