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
#include "engine/model/label.h"

namespace trainmake {

class Decoder;
class Encoder;

// The folder of a store that is trainmake's own: manifest objects and locks lie there, and no data.
inline constexpr std::string_view kOwnFolder = ".trainmake";
bool is_own_key(std::string_view key);

// From that size on, an object is copied inside the store rather than sent again.
inline constexpr std::uint64_t kWorthCopying = std::uint64_t{64} << 10U;

struct MirrorObject {
  std::string key;
  std::uint64_t size = 0;
  Digest128 content;
  std::string tag;                // as the store knows it; "" when nobody noted it
  std::vector<Digest128> chunks;  // of a file of more than one, where they are known
};

// A key that was being sent or removed when this was written: ours, and nobody knows what lies there. Where
// neither digest is known it is to be sent again, or removed.
struct UnsettledKey {
  std::string key;
  std::uint64_t size = 0;
  std::optional<Digest128> content = {};   // that is being sent
  std::optional<Digest128> removing = {};  // that lay there: what is another by now is somebody else's
};

struct Mirror {
  std::string target;                   // whose it is: its label, absolute
  std::string root;                     // tree identity, hex, of what it is to become
  std::string writer;                   // one transfer, of all that there ever were
  std::vector<MirrorObject> objects;    // sorted by key
  std::vector<UnsettledKey> unsettled;  // sorted by key
};

// Whose a mirror is, as it is written there.
std::string owner_text(const Label& label);

// As others read it; `tags` of objects that are not worth copying are left out.
std::string to_json(const Mirror& mirror);
std::optional<Mirror> mirror_from_json(std::string_view text);
// As we keep it.
std::string encode(const Mirror& mirror);
std::optional<Mirror> decode_mirror(std::string_view bytes);
void add(Encoder& out, const MirrorObject& object);
MirrorObject object_from(Decoder& in);
void add(Encoder& out, const UnsettledKey& key);
UnsettledKey unsettled_from(Decoder& in);
inline constexpr std::uint64_t kSmallestObject = 48, kSmallestUnsettled = 33;  // bytes of one that was added

// Whether something was being removed, of which only a look tells whose it is by now.
bool has_removals(const Mirror& mirror);

const MirrorObject* find_object(const Mirror& mirror, std::string_view key);

struct MirrorChange {
  std::vector<const ListedFile*> send;  // sorted by key
  std::vector<std::string> make_way;    // to remove first: a folder's key becomes a file's, or the other way
  std::vector<std::string> remove;      // to remove last
  std::uint64_t bytes = 0;              // of send

  bool empty() const { return send.empty() && make_way.empty() && remove.empty(); }
};
// `listing` must outlive the answer. Without prune nothing is removed.
MirrorChange change(const Listing& listing, const Mirror& there, bool prune);

// What to say of a store before `change` is made, so that a cut never leaves an object that is not what it is
// said to be.
struct Announcement {
  Mirror mirror;
  std::vector<std::string> gone;  // keys of objects that were there and are not said to be any more; sorted
};
Announcement announcement(const Listing& listing, Mirror there, const MirrorChange& change);

}  // namespace trainmake
