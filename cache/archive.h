// Files in a row, as a tar (ustar, with pax headers for long names and large sizes) compressed with zstd. By
// hand, because what is written is a fraction of what a tar library can, and what is read must be refused
// rather than repaired: regular files with names that stay below their folder, and nothing else. Knows
// nothing of what is in the files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/file_system.h"

namespace trainmake {

class ArchiveWriter {
 public:
  explicit ArchiveWriter(FileWriter& out);
  ~ArchiveWriter();
  // The whole file under `name`; returns its size. One that shrinks while it is read is an error.
  Result<std::uint64_t> add(FileSystem& files, const std::string& path, std::string_view name,
                            const std::stop_token& stop = {});
  Result<void> finish();  // REQUIRES: called once, last; the caller commits

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

class ArchiveReader {
 public:
  // `name` is for messages.
  ArchiveReader(FileReader& in, std::string name);
  ~ArchiveReader();

  struct Entry {
    std::string name;  // clean: relative, without `..`
    std::uint64_t size = 0;
  };
  // An empty optional at the end. What was not read of the entry before is passed over.
  Result<std::optional<Entry>> next();
  Result<std::size_t> read(std::span<char> into);  // of the entry; 0 at its end

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace trainmake
