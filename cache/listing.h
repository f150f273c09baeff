// The files of a tree as they were when a step looked: what a code or data target hands to those who use it,
// kept as a blob. Knows nothing of where the files will be put.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/hash.h"

namespace trainmake {

struct ListedFile {
  std::string key;  // where it lies in the tree; of an empty folder with a slash at its end
  std::string
      source;  // of data read in place: its path from the workspace's root; "" when its bytes are a blob
  std::string link_target;  // of a link: its text
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  // permission bits: 0755 or 0644
  Digest128 content;
  Sha256 sha256;  // of its blob; zero for data read in place
};

// A folder that is kept although nothing is in it: it has no bytes, no source and no blob.
inline bool is_folder(std::string_view key) { return key.ends_with('/'); }

using Listing = std::vector<ListedFile>;  // sorted by key, keys unique
using SharedListing = std::shared_ptr<const Listing>;

std::string encode(const Listing& listing);
// The same, piece by piece.
Result<void> encode(const Listing& listing, const std::function<Result<void>(std::string_view)>& sink);
// Refuses what is damaged, and what leads out of the folder that it is laid out in.
std::optional<Listing> decode_listing(std::string_view bytes);

// Equal for trees with the same keys, contents, and (with_modes) modes and links, wherever they lie.
Digest128 tree_identity(const Listing& listing, bool with_modes);
std::uint64_t bytes_of(const Listing& listing);  // all files together

}  // namespace trainmake
