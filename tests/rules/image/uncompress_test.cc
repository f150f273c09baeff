#include "rules/image/uncompress.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <algorithm>

#include "engine/base/text.h"
#include "rules/image/compress.h"

namespace trainmake {
namespace {

std::string numbers() {
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += cat(i, "\n");
  return text;
}

// In many members.
std::string gzipped(std::string_view text) {
  std::string out, room;
  for (; !text.empty(); text.remove_prefix(std::min(kPieceBytes, text.size())))
    out += compress(text.substr(0, kPieceBytes), Compression::kGzip, room);
  return out;
}

std::string zstd_frame(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

Result<std::string> uncompressed(Compression compression, std::string_view bytes, std::size_t piece) {
  std::string out;
  Uncompressor stream(compression, [&](std::string_view some) {
    out += some;
    return Result<void>();
  });
  for (std::size_t at = 0; at < bytes.size(); at += piece) TRY(stream.add(bytes.substr(at, piece)));
  TRY(stream.finish());
  return out;
}

TEST(Uncompress, GzipOfManyMembersWhateverThePieces) {
  const std::string text = numbers(), bytes = gzipped(text);
  for (const std::size_t piece : {std::size_t{1000}, std::size_t{99'999}, bytes.size()})
    EXPECT_EQ(uncompressed(Compression::kGzip, bytes, piece), text) << piece;
}

TEST(Uncompress, ZstdOfManyFramesWhateverThePieces) {
  const std::string text = numbers(), bytes = zstd_frame(text) + zstd_frame("more");
  for (const std::size_t piece : {std::size_t{1000}, std::size_t{99'999}, bytes.size()})
    EXPECT_EQ(uncompressed(Compression::kZstd, bytes, piece), text + "more") << piece;
}

TEST(Uncompress, WhatIsCutIsAnError) {
  const std::string text = numbers(), gzip = gzipped(text), zstd = zstd_frame(text);
  for (const std::size_t less : {std::size_t{1}, std::size_t{1000}}) {
    EXPECT_FALSE(uncompressed(Compression::kGzip, gzip.substr(0, gzip.size() - less), 4096));
    EXPECT_FALSE(uncompressed(Compression::kZstd, zstd.substr(0, zstd.size() - less), 4096));
  }
  EXPECT_FALSE(uncompressed(Compression::kGzip, "", 1));
  EXPECT_FALSE(uncompressed(Compression::kZstd, "", 1));
}

TEST(Uncompress, WhatIsDamagedOrSomethingElseIsAnError) {
  std::string gzip = gzipped(numbers());
  gzip[gzip.size() / 2] = static_cast<char>(gzip[gzip.size() / 2] ^ 1);
  EXPECT_FALSE(uncompressed(Compression::kGzip, gzip, 4096));
  EXPECT_FALSE(uncompressed(Compression::kGzip, gzipped("a") + "garbage", 4096));
  EXPECT_FALSE(uncompressed(Compression::kZstd, gzipped("a"), 4096));
}

TEST(Uncompress, AMediaTypeSaysHow) {
  EXPECT_EQ(compression_of("application/vnd.oci.image.layer.v1.tar+gzip"), Compression::kGzip);
  EXPECT_EQ(compression_of("application/vnd.docker.image.rootfs.diff.tar.gzip"), Compression::kGzip);
  EXPECT_EQ(compression_of("application/vnd.oci.image.layer.v1.tar+zstd"), Compression::kZstd);
  EXPECT_EQ(compression_of("application/vnd.oci.image.layer.v1.tar"), std::nullopt);
}

TEST(Uncompress, WhoTakesItMayEndIt) {
  Uncompressor stream(Compression::kGzip,
                      [](std::string_view) -> Result<void> { return fail(interrupted_error()); });
  EXPECT_EQ(stream.add(gzipped("a")).error().blame, Blame::kInterrupted);
}

}  // namespace
}  // namespace trainmake
