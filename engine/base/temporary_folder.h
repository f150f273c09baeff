// A folder for something on the way, removed with all that lies in it when it goes out of scope.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {

class TemporaryFolder {
 public:
  // Nothing is made here: what is laid into it makes its folders.
  TemporaryFolder(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  ~TemporaryFolder() { (void)files_.remove(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path(std::string_view name = {}) const { return path_join(path_, name); }

 private:
  FileSystem& files_;
  std::string path_;
};

}  // namespace trainmake
