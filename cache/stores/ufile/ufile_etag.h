// What UCloud's object store calls the content of an object: its ETag is made of the bytes alone, so that
// what it got can be compared with what was read. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/hash.h"
#include "engine/cloud/hmac.h"

namespace trainmake {

inline constexpr std::uint64_t kUfileBlock = std::uint64_t{4} << 20U;

// Of an object whose blocks, of kUfileBlock but for the last, have these SHA-1. Of an empty one the service
// says different things.
std::string ufile_etag(std::span<const std::string> blocks);
std::string ufile_etag_of(std::string_view bytes);

// Whether the service says that it got `size` bytes with the ETag `expected`. An empty object is known by its
// size.
bool is_ufile_etag(std::string_view said, std::string_view expected, std::uint64_t size);

// Whether an ETag is one that such an object of `size` bytes may have. One that came in by another door, as
// that for S3, may have any other.
bool tells_of_bytes(std::string_view etag, std::uint64_t size);

// The SHA-1 of a part, out of either form of a part's ETag; nothing of any other text.
std::optional<std::string> sha1_of_ufile_part(std::string_view etag);

// What the service will say of bytes, which are fed in order.
class UfileDigests {
 public:
  void add(std::string_view bytes);
  void finish();

  std::vector<std::string> blocks;  // their SHA-1
  std::string md5;

 private:
  OldHasher sha1_{OldDigest::kSha1}, md5_{OldDigest::kMd5};
  std::uint64_t filled_ = 0;  // of the block
};

}  // namespace trainmake
