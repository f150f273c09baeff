#include "cache/listing.h"

#include "engine/base/codec.h"
#include "engine/base/file_system.h"

namespace trainmake {
namespace {

constexpr std::string_view kMagic = "tm-listing-1\n";

// A path that stays below the folder it is taken from.
bool stays_below(std::string_view path) {
  return !path.empty() && path.front() != '/' && path_clean(path) == path;
}

// Of data outside the workspace, too, without a way around.
bool is_plain_source(std::string_view path) {
  return stays_below(path.front() == '/' ? path.substr(1) : path);
}

std::string_view without_slash(std::string_view key) {
  if (is_folder(key)) key.remove_suffix(1);
  return key;
}

bool is_sound(const Listing& listing) {
  for (std::size_t i = 0; i < listing.size(); ++i) {
    const ListedFile& file = listing[i];
    if (!stays_below(without_slash(file.key))) return false;
    if (!file.source.empty() && !is_plain_source(file.source)) return false;
    if (i > 0 && listing[i - 1].key >= file.key) return false;
  }
  return true;
}

}  // namespace

Result<void> encode(const Listing& listing, const std::function<Result<void>(std::string_view)>& sink) {
  constexpr std::size_t kPiece = 64 * 1024;
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
    if (out.size() < kPiece) continue;
    TRY(sink(out));
    out.clear();
  }
  return sink(out);
}

std::string encode(const Listing& listing) {
  std::string whole;
  CHECK(encode(listing, [&](std::string_view piece) -> Result<void> {
    whole += piece;
    return {};
  }));
  return whole;
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
  if (!decoder.at_end() || !is_sound(listing)) return std::nullopt;
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

std::uint64_t bytes_of(const Listing& listing) {
  std::uint64_t bytes = 0;
  for (const ListedFile& file : listing) bytes += file.size;
  return bytes;
}

}  // namespace trainmake
