// Also ContentHasher, which is fed in order. FileDigests digests the same chunks on several threads.
#include "cache/content_digest.h"
#include "cache/file_digests.h"

namespace trainmake {

Digest128 digest_of_chunks(std::span<const Digest128> chunks, std::uint64_t size) {
  if (chunks.size() == 1) return chunks.front();
  Hasher hasher;
  hasher.field("chunks").number(kChunkBytes).number(size);
  for (const Digest128& chunk : chunks) hasher.number(chunk.high).number(chunk.low);
  return hasher.finish();
}

struct ContentHasher::Inside {
  Hasher chunk;
  std::uint64_t in_chunk = 0;
  std::uint64_t size = 0;
  std::vector<Digest128> chunks;

  void end_chunk() {
    chunks.push_back(chunk.finish());
    chunk = Hasher();
    in_chunk = 0;
  }
};

ContentHasher::ContentHasher() : inside_(std::make_unique<Inside>()) {}
ContentHasher::~ContentHasher() = default;

void ContentHasher::add(std::string_view bytes) {
  Inside& inside = *inside_;
  inside.size += bytes.size();
  while (!bytes.empty()) {
    if (inside.in_chunk == kChunkBytes) inside.end_chunk();
    const std::string_view now = bytes.substr(0, kChunkBytes - inside.in_chunk);
    inside.chunk.raw(now);
    inside.in_chunk += now.size();
    bytes.remove_prefix(now.size());
  }
}

Digest128 ContentHasher::finish() {
  inside_->end_chunk();
  return digest_of_chunks(inside_->chunks, inside_->size);
}

}  // namespace trainmake
