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
  bool is_found = false;          // somebody else put it, and it is never removed
};

// What was at a key when this was written, so that nobody knows what lies there by now.
enum class Unsettled : std::uint8_t {
  kSending = 1,   // `content` was on its way there
  kRemoving = 2,  // `content` lay there, and was being removed
  kDoubted = 3,   // `content` was said to lie there, and somebody who looked says otherwise: our own remark
};

// Only what is known for ours is ever removed: whatever else lies there is somebody else's.
struct UnsettledKey {
  std::string key;
  Unsettled what = Unsettled::kDoubted;
  std::uint64_t size = 0;         // of `content`
  Digest128 content{};            // none where nothing of ours is known to have lain there
  std::vector<Digest128> ours{};  // what else of ours may lie there: what was to be replaced
};
// Whether `content` is of ours, where it lies under that key.
bool is_ours(const UnsettledKey& key, const Digest128& content);

struct Mirror {
  std::string project;  // whose it is: the name of its project, or ""
  std::string target;   // and its label, absolute
  std::string root;     // tree identity, hex, of what it is to become
  std::string writer;   // one transfer, of all that there ever were
  // It asks for something once more that may have been done: then what an unsettled key shows by now may be
  // put or removed again. How often this was told: or two tellings of the same were one, by their tag. Both
  // are for whoever reads the manifest object, and nothing that we keep.
  bool repeats = false;
  std::uint64_t told = 0;
  std::vector<MirrorObject> objects;    // sorted by key; also what was not removed when its file went
  std::vector<UnsettledKey> unsettled;  // sorted by key
};

// Whose a mirror is, as it is written there: of a label, or of a name that may not be UTF-8.
std::string owner_text(const Label& label);
std::string owner_text(const std::string& name);

// As others read it; `tags` of objects that are not worth copying are left out.
std::string to_json(const Mirror& mirror);
std::optional<Mirror> mirror_from_json(std::string_view text);
// Of one that cannot be read: whether that is because it is of a format which came after ours.
bool is_newer_mirror(std::string_view text);
// As we keep it.
std::string encode(const Mirror& mirror);
std::optional<Mirror> decode_mirror(std::string_view bytes);
void add_head(Encoder& out, const Mirror& mirror);  // whose it is, and of what
void take_head(Decoder& in, Mirror& mirror);
void add(Encoder& out, const MirrorObject& object);
MirrorObject object_from(Decoder& in);
void add(Encoder& out, const UnsettledKey& key);
UnsettledKey unsettled_from(Decoder& in);
inline constexpr std::uint64_t kSmallestObject = 49, kSmallestUnsettled = 41;  // bytes of one that was added

const MirrorObject* find_object(const Mirror& mirror, std::string_view key);
const UnsettledKey* find_unsettled(const Mirror& mirror, std::string_view key);
// What the store says, where that is nothing any more, or of before what was known: of each key in which the
// two differ nobody knows what lies there, but whose that is.
Mirror recalled(const Mirror& known, Mirror seen);
// Tags that `told` does not name, of objects that were the same in `known`.
void add_tags(const Mirror& known, Mirror& told);

struct MirrorChange {
  std::vector<const ListedFile*> send;  // sorted by key
  std::vector<std::string> make_way;    // to remove first: a folder's key becomes a file's, or the other way
  std::vector<std::string> remove;      // to remove last
  std::vector<std::string> in_the_way;  // as make_way, and left: nothing is pruned
  std::vector<std::string> left;        // somebody else's, for which there is no file any more
  // Unsettled, and with no file, or one that came back: nothing is done there before somebody asked what lies
  // there. Then it is an object, or none of ours.
  std::vector<std::string> ask;
  std::uint64_t bytes = 0;  // of send

  bool empty() const { return send.empty() && make_way.empty() && remove.empty() && ask.empty(); }
};
// `listing` must outlive the answer. Without prune nothing is removed. Only objects are, and none that was
// found.
MirrorChange change(const Listing& listing, const Mirror& there, bool prune);

// What to say of a store before `change` is made, so that a cut never leaves an object that is not what it is
// said to be. REQUIRES: nothing is left to ask for.
struct Announcement {
  Mirror mirror;
  std::vector<std::string> gone;  // keys of objects that were there and are not said to be any more; sorted
};
Announcement announcement(const Listing& listing, Mirror there, const MirrorChange& change);

}  // namespace trainmake
