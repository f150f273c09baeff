// The file behind FileDigests: path, stat and digest of many files, sorted by path. Bytes alone: it opens no
// file and knows no clock. An index that was cut, damaged, or written by another format is refused whole.
// Thread rule: reading from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/hash.h"

namespace trainmake {

class FileIndex {
 public:
  struct Entry {
    std::string_view path;
    Stat stat;  // kFile
    Digest128 digest;
    bool holds_key = false;  // a private key, near its begin
    std::uint32_t age = 0;   // saves since somebody asked for it; at most 255
  };

  // Writes one, entry by entry. REQUIRES: they are added sorted by path, each path once.
  class Writer {
   public:
    Writer(std::size_t entries, std::size_t path_bytes);  // no more than that
    void add(const Entry& entry);
    std::string finish();  // once, last

   private:
    std::string bytes_, paths_;
    std::size_t count_ = 0;
  };

  FileIndex() = default;
  static std::optional<FileIndex> parse(std::string bytes);

  std::size_t size() const { return count_; }
  std::size_t path_bytes() const;
  Entry operator[](std::size_t at) const;
  // Where `path` is, or would be, when it is not before `from`: near is found fast, so sorted paths are
  // looked up in one pass.
  std::size_t lower_bound(std::string_view path, std::size_t from) const;

 private:
  std::string_view path_at(std::size_t at) const;

  std::string bytes_;
  std::size_t count_ = 0;
};

}  // namespace trainmake
