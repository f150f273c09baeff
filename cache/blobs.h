// Bytes by their SHA-256, as files `blobs/sha256/ab/abcd…` below the cache folder, written by rename,
// read-only. What is there under a digest has been whole once; `read` and `copy_out` verify it again, because
// disks rot. Knows nothing of what the bytes mean. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_system.h"
#include "engine/base/hash.h"

namespace trainmake {

// Of whoever waits while bytes are copied.
struct Copying {
  std::stop_token stop = {};                                  // ends it, as an interruption
  std::function<void(std::uint64_t bytes)> copied = nullptr;  // hears of each piece
};

class Blobs {
 public:
  Blobs(FileSystem& files, const std::string& cache_folder);

  Result<Sha256> put(std::string_view bytes);
  // What `give` hands to its sink, of which no more than a piece need be held.
  using Sink = std::function<Result<void>(std::string_view piece)>;
  Result<Sha256> put_pieces(const std::function<Result<void>(const Sink&)>& give);
  struct Stored {
    Sha256 sha256;
    Digest128
        content;  // XXH3-128 of the same bytes, as FileDigests computes it, to compare with what describe saw
    std::uint64_t size = 0;
  };
  // Streams a file in. The digests are of the bytes that were stored, whatever the file became meanwhile.
  Result<Stored> put_file(const std::string& path, const std::stop_token& stop);
  // The same of a file in the cache folder, which it no longer is: it becomes the blob itself, so that its
  // bytes are on the disk once. REQUIRES: nobody writes to it.
  Result<Stored> take_in(const std::string& path, const std::stop_token& stop);
  // Until then a power cut may take them. Each by itself while they are few, else with all of their disk.
  Result<void> sync(const std::vector<Sha256>& digests);
  Result<bool> has(const Sha256& digest);  // by stat alone
  // Whole small blobs, verified; a damaged one is removed and told as missing.
  Result<std::optional<std::string>> read(const Sha256& digest);
  // Streams a blob to `to`, verified before it becomes visible there. False when missing or damaged (then
  // removed).
  Result<bool> copy_out(const Sha256& digest, const std::string& to, const WriteOptions& options,
                        const Copying& copying = {});
  // Reads all of it; false when missing or damaged (then removed).
  Result<bool> is_sound(const Sha256& digest);
  Result<void> remove(const Sha256& digest);
  std::string path(const Sha256& digest) const;
  // Every blob that is there, for gc.
  Result<void> each(const std::function<void(const Sha256&, const Stat&)>& visit);
  // Removes what puts left that were cut short. REQUIRES: nobody puts meanwhile (gc holds the workspace).
  Result<void> sweep();

 private:
  Result<void> put_whole(const Sha256& digest, std::string_view bytes);
  Result<void> place(const std::string& incoming, const Sha256& digest);
  Result<void> each_folder(
      const std::function<Result<void>(const std::string&, const std::vector<FolderEntry>&)>& visit);

  FileSystem& files_;
  std::string folder_;
};

}  // namespace trainmake
