// How the digests of a file's chunks become the digest of its content. A file of one chunk has that chunk's
// digest.
#pragma once

#include <cstdint>
#include <span>

#include "engine/base/hash.h"

namespace trainmake {

// REQUIRES: at least one chunk; an empty file has one, which is empty.
Digest128 digest_of_chunks(std::span<const Digest128> chunks, std::uint64_t size);

}  // namespace trainmake
