// Writes the tar of a layer: the same bytes on every machine, for the same entries in the same order. Zero
// times, numeric owners, ustar with PAX records for what ustar cannot hold. By hand because libarchive's
// writer adds what differs between versions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace trainmake {

using ByteSink = std::function<Result<void>(std::string_view)>;

struct TarEntry {
  enum class Kind : std::uint8_t { kFile, kFolder, kLink, kHardLink };
  Kind kind = Kind::kFile;
  std::string path;  // no leading slash; folders without a trailing one
  std::uint32_t mode = 0644;
  std::uint64_t size = 0;        // of a file
  std::string link_target = {};  // of a link; of a hard link, the `path` of an entry before it
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::map<std::string, std::string> xattrs = {};  // `user.name` → bytes
};

class TarWriter {
 public:
  explicit TarWriter(ByteSink sink) : sink_(std::move(sink)) {}
  // A file's `size` bytes follow through content().
  Result<void> entry(const TarEntry& entry);
  Result<void> content(std::string_view bytes);
  Result<void> finish();

 private:
  Result<void> pad();
  ByteSink sink_;
  std::uint64_t open_ = 0;     // bytes of the current file still to come
  std::uint64_t written_ = 0;  // of the current file
};

}  // namespace trainmake
