// A file that grows at its end while others read it: a job's log. Knows nothing of lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/descriptor.h"
#include "engine/base/error.h"

namespace trainmake {

class LogFile {
 public:
  static Result<LogFile> open(const std::string& path);  // made when missing
  Result<void> append(std::string_view bytes);

 private:
  explicit LogFile(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
  Descriptor descriptor_;
};

// Up to `limit` bytes from `offset`, which counts from the end when it is negative. Empty at the end, and
// when there is no file.
Result<std::string> read_log_file(const std::string& path, std::int64_t offset, std::size_t limit);

}  // namespace trainmake
