// The compressions of a layer, piece by piece: a piece is a gzip member or a zstd frame of its own. Such
// pieces one after the other are one stream to every reader, and their bytes depend on nothing but the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trainmake {

// Gzip is what everybody reads; zstd is several times faster both ways.
enum class Compression : std::uint8_t { kGzip, kZstd };

inline constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;

std::optional<Compression> parse_compression(std::string_view name);
std::string_view name_of(Compression compression);
std::string layer_media_type(Compression compression);

// `piece` compressed, in `room`, which grows as it has to. What a look at a few places shows to gain little,
// as the noise that trained weights are, is stored as it is. REQUIRES: no more than kPieceBytes.
std::string_view compress(std::string_view piece, Compression compression, std::string& room);

}  // namespace trainmake
