#include "cache/listing.h"

#include "engine/base/codec.h"

namespace trainmake {
namespace {

constexpr std::string_view kMagic = "tm-listing-1\n";

}  // namespace

std::string encode(const Listing& listing) {
  std::string out(kMagic);
  Encoder encoder(out);
  encoder.number(listing.size());
  for (const ListedFile& file : listing) {
    encoder.string(file.key);
    encoder.string(file.source);
    encoder.string(file.link_target);
    encoder.number(file.size);
    encoder.number(file.mode);
    encoder.digest(file.content);
    encoder.digest(file.sha256);
  }
  return out;
}

std::optional<Listing> decode_listing(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return std::nullopt;
  Decoder decoder(bytes.substr(kMagic.size()));
  Listing listing(decoder.count(8 * 5 + 16 + 32));
  for (ListedFile& file : listing) {
    file.key = decoder.string();
    file.source = decoder.string();
    file.link_target = decoder.string();
    file.size = decoder.number();
    file.mode = static_cast<std::uint32_t>(decoder.number());
    file.content = decoder.digest128();
    file.sha256 = decoder.sha256();
  }
  if (!decoder.at_end()) return std::nullopt;
  return listing;
}

Digest128 tree_identity(const Listing& listing, bool with_modes) {
  Hasher hasher;
  hasher.field(with_modes ? "tree+modes" : "tree").number(listing.size());
  for (const ListedFile& file : listing) {
    hasher.field(file.key).number(file.content.high).number(file.content.low);
    if (with_modes) hasher.number(file.mode).field(file.link_target);
  }
  return hasher.finish();
}

}  // namespace trainmake
