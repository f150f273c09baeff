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

// The folder of a store that is trainmake's own: manifest objects and locks lie there, and no data.
inline constexpr std::string_view kOwnFolder = ".trainmake";
bool is_own_key(std::string_view key);

struct MirrorObject {
  std::string key;
  std::uint64_t size = 0;
  Digest128 content;
};

struct Mirror {
  std::string target;                 // whose it is: its label, absolute
  std::string root;                   // tree identity, hex
  std::vector<MirrorObject> objects;  // sorted by key
  // Keys that were being sent or removed when this was written, sorted: ours, and nobody knows what lies
  // there.
  std::vector<std::string> unsettled;
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

// What to say of a store in which only the first `sent` and `removed` of `change` are done: the rest is
// unsettled. It is said before anything is touched, so that a cut never leaves an object that is not what it
// is said to be.
Mirror midway(const Listing& listing, std::string label, const MirrorChange& change, std::size_t sent,
              std::size_t removed);

}  // namespace trainmake
