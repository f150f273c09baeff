// path + stat → content digest, so that an unchanged file is looked at and not read. One index file per
// project below `files/` in the cache folder, sorted by path, checked by its own digest: a damaged or foreign
// one is dropped, which costs a re-hash and nothing else. An entry whose mtime was not older than its reading
// is never trusted; a file that was written a few milliseconds ago is waited for. A file over kChunkBytes is
// digested in chunks, in parallel, and its digest is that of its chunks' digests. Thread rule: any thread;
// targets of one project share an index.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/host.h"
#include "engine/base/walk.h"
#include "engine/model/event.h"

namespace trainmake {

inline constexpr std::uint64_t kChunkBytes = 16U << 20U;

class FileDigests {
 public:
  FileDigests(FileSystem& files, Clock& clock, std::string root, const std::string& cache_folder,
              Tally& tally);
  ~FileDigests();

  struct Digested {
    std::vector<Digest128> digests;  // of `files`, in their order; a link's is that of its target's text
    std::vector<std::size_t> keys;   // positions of files that hold a private key near their begin, sorted
    bool settled = true;  // false: some mtime was racy, so the stats of that look prove nothing yet
    // Not empty: these were gone or changed while they were read; walk again.
    std::vector<std::string> unsteady;
  };
  // `files` of the project in `folder` (from root), as walk found them, looked at after `looked_at_ns`. Best
  // sorted by path.
  Result<Digested> digest(const std::string& folder, std::span<const WalkedFile> files,
                          std::int64_t looked_at_ns);
  // Writes what was learnt. Losing it costs time alone.
  Result<void> save();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

// The digest of a file's content as FileDigests computes it, fed piece by piece.
class ContentHasher {
 public:
  ContentHasher();
  ~ContentHasher();
  void add(std::string_view bytes);
  Digest128 finish();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace trainmake
