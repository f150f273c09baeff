// What lies in a store for one data target, as its manifest object says: key, size and digest of every
// object, and the root digest of them all. Pure: turns what should be there and what is into what to send and
// what to remove.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/listing.h"

namespace trainmake {

struct MirrorObject {
  std::string key;
  std::uint64_t size = 0;
  Digest128 content;
};

struct Mirror {
  std::string target;                 // whose it is: its label, absolute
  std::string root;                   // tree identity, hex
  std::vector<MirrorObject> objects;  // sorted by key
  std::vector<std::string> removing;  // keys whose removal was begun and may not have ended
};

Mirror mirror_of(const Listing& listing, std::string label);
std::string to_json(const Mirror& mirror);
std::optional<Mirror> mirror_from_json(std::string_view text);

struct MirrorChange {
  std::vector<const ListedFile*> send;
  std::vector<std::string> remove;
  std::uint64_t bytes = 0;  // of send
};
// `listing` must outlive the answer. Without prune nothing is removed.
MirrorChange change(const Listing& listing, const Mirror& there, bool prune);

}  // namespace trainmake
