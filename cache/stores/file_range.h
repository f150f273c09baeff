// A range of a file on its way into a store: digested first, and read once more while it travels. Knows no
// service. Thread rule: what is read belongs to the caller; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/host.h"

namespace trainmake {

struct FileRange {
  std::string path;
  std::uint64_t offset = 0, size = 0;
};

// Its bytes piece by piece; an error when there are fewer.
Result<void> read_range(FileSystem& files, const FileRange& range, const std::stop_token& stop,
                        const std::function<void(std::string_view)>& visit);

Error changed_while_sent(const std::string& path);

// Of a file, or of a range of it that begins with a chunk; an empty one has one, which is empty.
std::uint64_t chunk_count(std::uint64_t size);

// The digests of those chunks, fed in order.
class ChunkDigests {
 public:
  void add(std::string_view bytes);
  std::vector<Digest128> finish();

 private:
  void end_chunk();

  Hasher hasher_;
  std::uint64_t filled_ = 0;
  std::vector<Digest128> chunks_;
};

// Makes the range the body of a request, or `bytes`, which are borrowed when they are many.
Result<void> send_range(FileSystem& files, const FileRange& range, HttpRequest& request);
void send_bytes(std::string_view bytes, HttpRequest& request);

}  // namespace trainmake
