#include "rules/image/compress.h"

#include <libdeflate.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "engine/base/error.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr int kGzipLevel = 6;
constexpr int kGzipStored = 0;
constexpr int kZstdLevel = 1;
constexpr int kZstdStored = -5;  // looks for repetitions alone, and hardly so

constexpr std::array<std::string_view, 2> kNames = {"gzip", "zstd"};

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(libdeflate_compressor* compressor) const { libdeflate_free_compressor(compressor); }
};

// Each thread has its own: making one costs more than a small piece does.
ZSTD_CCtx* zstd_context() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  CHECK(context != nullptr);
  return context.get();
}

libdeflate_compressor* gzip_compressor(bool stored) {
  thread_local std::array<std::unique_ptr<libdeflate_compressor, FreeContext>, 2> compressors;
  auto& compressor = compressors[stored ? 1 : 0];
  if (!compressor) compressor.reset(libdeflate_alloc_compressor(stored ? kGzipStored : kGzipLevel));
  CHECK(compressor != nullptr);
  return compressor.get();
}

std::size_t zstd(std::string_view bytes, int level, char* into, std::size_t size) {
  const std::size_t count = ZSTD_compressCCtx(zstd_context(), into, size, bytes.data(), bytes.size(), level);
  CHECK(ZSTD_isError(count) == 0);
  return count;
}

// Whether less than an eighth would be gained, going by a few places of a large piece.
bool is_noise(std::string_view piece) {
  constexpr std::size_t kPlaces = 8;
  constexpr std::size_t kAtEach = std::size_t{4} << 10U;
  if (piece.size() < 2 * kPlaces * kAtEach) return false;
  std::array<char, 2 * kAtEach> room;
  std::size_t compressed = 0;
  for (std::size_t i = 0; i < kPlaces; ++i)
    compressed +=
        zstd(piece.substr(i * (piece.size() / kPlaces), kAtEach), kZstdLevel, room.data(), room.size());
  return compressed > kPlaces * kAtEach / 8 * 7;
}

}  // namespace

std::optional<Compression> parse_compression(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Compression>(found - kNames.begin());
}

std::string_view name_of(Compression compression) { return kNames[static_cast<std::size_t>(compression)]; }

std::string layer_media_type(Compression compression) {
  return cat("application/vnd.oci.image.layer.v1.tar+", name_of(compression));
}

std::string_view compress(std::string_view piece, Compression compression, std::string& room) {
  CHECK(piece.size() <= kPieceBytes);
  const bool stored = is_noise(piece);
  const bool gzip = compression == Compression::kGzip;
  const std::size_t most = gzip ? libdeflate_gzip_compress_bound(gzip_compressor(stored), piece.size())
                                : ZSTD_compressBound(piece.size());
  if (room.size() < most) room.resize(most);
  const std::size_t count = gzip ? libdeflate_gzip_compress(gzip_compressor(stored), piece.data(),
                                                            piece.size(), room.data(), room.size())
                                 : zstd(piece, stored ? kZstdStored : kZstdLevel, room.data(), room.size());
  CHECK(count != 0);
  return std::string_view(room).substr(0, count);
}

}  // namespace trainmake
