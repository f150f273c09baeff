// Compresses a stream as gzip members of a fixed amount of input each: concatenated members are one gzip file
// to every reader, and the bytes depend on nothing but the input. Knows nothing of tar.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "rules/image/tar.h"

namespace trainmake {

class GzipMembers {
 public:
  explicit GzipMembers(ByteSink sink);
  ~GzipMembers();
  Result<void> add(std::string_view bytes);
  Result<void> finish();

 private:
  Result<void> flush();
  struct Compressor;
  std::unique_ptr<Compressor> compressor_;
  ByteSink sink_;
  std::string waiting_;
};

}  // namespace trainmake
