#include "rules/image/pack.h"

#include <gtest/gtest.h>
#include <libdeflate.h>
#include <zstd.h>

#include <random>
#include <string>

#include "engine/base/text.h"

namespace trainmake {
namespace {

struct Packed {
  std::string bytes;
  Sha256 diff_id;
};

Packed packed(std::string_view input, Compression compression, unsigned threads, std::size_t at_once) {
  Packed result;
  Packer packer(compression, threads, [&](std::string_view bytes) {
    result.bytes += bytes;
    return Result<void>();
  });
  for (std::size_t at = 0; at < input.size(); at += at_once)
    EXPECT_TRUE(packer.add(input.substr(at, at_once)));
  const Result<Sha256> finished = packer.finish();
  EXPECT_TRUE(finished);
  if (finished) result.diff_id = *finished;
  return result;
}

std::string gunzipped(std::string_view bytes) {
  libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
  std::string out, room(kPieceBytes, '\0');
  while (!bytes.empty()) {
    std::size_t taken = 0, given = 0;
    EXPECT_EQ(libdeflate_gzip_decompress_ex(decompressor, bytes.data(), bytes.size(), room.data(),
                                            room.size(), &taken, &given),
              LIBDEFLATE_SUCCESS);
    out += room.substr(0, given);
    bytes.remove_prefix(taken);
  }
  libdeflate_free_decompressor(decompressor);
  return out;
}

std::string unzstd(std::string_view bytes) {
  std::string out, room(kPieceBytes, '\0');
  while (!bytes.empty()) {
    const std::size_t taken = ZSTD_findFrameCompressedSize(bytes.data(), bytes.size());
    out += room.substr(0, ZSTD_decompress(room.data(), room.size(), bytes.data(), taken));
    bytes.remove_prefix(taken);
  }
  return out;
}

std::string noise(std::size_t size) {
  std::mt19937_64 dice(1);
  std::string bytes;
  while (bytes.size() < size) bytes += static_cast<char>(dice());
  return bytes;
}

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += cat(i, "\n");
  return text;
}

class Packing : public testing::TestWithParam<Compression> {};

TEST_P(Packing, IsReadAsOneStreamAndGivesTheDigestOfWhatWentIn) {
  for (const std::string& input : {lines(10), lines(500'000), lines(100'000) + noise(3'000'000)}) {
    const Packed result = packed(input, GetParam(), 2, 10'000);
    EXPECT_EQ(GetParam() == Compression::kGzip ? gunzipped(result.bytes) : unzstd(result.bytes), input);
    EXPECT_EQ(result.diff_id, sha256_of(input));
  }
}

TEST_P(Packing, ItsBytesDependNeitherOnThreadsNorOnHowTheyCame) {
  const std::string input = lines(700'000) + noise(3'000'000);
  const Packed one = packed(input, GetParam(), 1, 1000);
  const Packed four = packed(input, GetParam(), 4, 777'777);
  EXPECT_EQ(sha256_of(one.bytes), sha256_of(four.bytes));
  EXPECT_EQ(one.diff_id, four.diff_id);
}

TEST_P(Packing, StoresNoiseAndMakesTheRestSmaller) {
  const std::string random = noise(2 * kPieceBytes);
  const std::size_t stored = packed(random, GetParam(), 2, kPieceBytes).bytes.size();
  EXPECT_LT(stored, random.size() + random.size() / 1000);
  const std::string text = lines(400'000);
  EXPECT_LT(packed(text, GetParam(), 2, kPieceBytes).bytes.size(), text.size() / 2);
}

TEST_P(Packing, AnErrorOfWhoeverTakesTheBytesIsToldAndEndsIt) {
  const std::string input = noise(kPieceBytes);
  int calls = 0;
  Packer packer(GetParam(), 2, [&](std::string_view) -> Result<void> {
    ++calls;
    return fail(step_error("The disk is full"));
  });
  Result<void> added;
  for (int i = 0; added && i < 1000; ++i) added = packer.add(input);
  ASSERT_FALSE(added) << "a thousand pieces went nowhere, and nobody said so";
  EXPECT_EQ(added.error().message, "The disk is full");
  EXPECT_FALSE(packer.finish());
  EXPECT_EQ(calls, 1);
}

TEST_P(Packing, OneThatIsGivenUpEndsWithoutItsError) {
  const std::string input = lines(1'000'000);
  Packer packer(GetParam(), 2, [](std::string_view) { return Result<void>(); });
  EXPECT_TRUE(packer.add(input));
}

INSTANTIATE_TEST_SUITE_P(Each, Packing, testing::Values(Compression::kGzip, Compression::kZstd),
                         [](const auto& each) { return std::string(name_of(each.param)); });

TEST(Packing, NothingIsNothing) {
  EXPECT_EQ(packed("", Compression::kGzip, 1, 1).bytes, "");
  EXPECT_EQ(packed("", Compression::kGzip, 1, 1).diff_id, sha256_of(""));
}

}  // namespace
}  // namespace trainmake
