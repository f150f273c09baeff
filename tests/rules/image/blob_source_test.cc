#include "rules/image/blob_source.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

constexpr std::uint64_t kAll = ~std::uint64_t{0};

std::string bytes_of(BlobPart part, std::size_t at_once = 1'000'000) {
  std::string bytes(part.size, '\0');
  std::size_t taken = 0;
  while (taken < bytes.size())
    taken += *part.bytes(std::span(bytes).subspan(taken, std::min(at_once, bytes.size() - taken)));
  return bytes;
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

TEST(FileBlob, GivesAnyStretchOfItsFile) {
  MemFileSystem files;
  files.put("/blob", "0123456789");
  FileBlob blob(files, {"", sha256_of("0123456789"), 10}, "/blob");
  EXPECT_EQ(bytes_of(*blob.part(0, kAll, {}), 3), "0123456789");
  EXPECT_EQ(bytes_of(*blob.part(4, 3, {})), "456");
  EXPECT_EQ(blob.part(10, kAll, {})->size, 0U);
  EXPECT_EQ(blob.whole()->size, 10U);
}

TEST(FileBlob, OneThatBecameShorterIsAnError) {
  MemFileSystem files;
  files.put("/blob", "0123");
  FileBlob blob(files, {"", sha256_of("0123456789"), 10}, "/blob");
  const BlobPart part = *blob.part(0, kAll, {});
  std::string room(10, '\0');
  ASSERT_EQ(*part.bytes(room), 4U);
  EXPECT_FALSE(part.bytes(room));
}

TEST(RelayedBlob, GivesWhatIsMadeInStretchesAndThenTellsWhatItWas) {
  const std::string bytes = pattern(2 * RelayedBlob::kStretchBytes + 12'345);
  const BlobRef made{"", sha256_of(bytes), bytes.size()};
  RelayedBlob blob;
  const std::jthread maker([&] {
    for (std::size_t at = 0; at < bytes.size(); at += 999'999)
      blob.add(std::string_view(bytes).substr(at, 999'999));
    blob.end(made);
  });
  std::string taken;
  EXPECT_FALSE(blob.whole());
  while (true) {
    const Result<BlobPart> part = blob.part(taken.size(), kAll, {});
    ASSERT_TRUE(part);
    if (part->size == 0) break;
    EXPECT_LE(part->size, RelayedBlob::kStretchBytes);
    taken += bytes_of(*part);
  }
  EXPECT_EQ(taken, bytes);
  EXPECT_EQ(blob.whole()->digest, made.digest);
}

TEST(RelayedBlob, AStretchThatWasCutIsGivenAgainFromWhereItWasCut) {
  const std::string bytes = pattern(1'000'000);
  RelayedBlob blob;
  blob.add(bytes);
  blob.end({"", sha256_of(bytes), bytes.size()});
  EXPECT_EQ(bytes_of(*blob.part(0, kAll, {})), bytes);
  EXPECT_EQ(bytes_of(*blob.part(600'000, 100, {})), bytes.substr(600'000, 100));
  EXPECT_EQ(bytes_of(*blob.part(0, kAll, {})), bytes);
  EXPECT_EQ(blob.part(bytes.size(), kAll, {})->size, 0U);
  EXPECT_FALSE(blob.part(0, kAll, {})) << "it was gone from then on";
}

TEST(RelayedBlob, WhoeverMakesItNeverWaitsForOneWhoGaveUp) {
  RelayedBlob blob;
  blob.give_up();
  const std::string stretch(RelayedBlob::kStretchBytes, 'x');
  for (int i = 0; i < 5; ++i) blob.add(stretch);
  EXPECT_FALSE(blob.part(0, kAll, {}));
}

TEST(RelayedBlob, AStopEndsTheWait) {
  RelayedBlob blob;
  std::stop_source stop;
  stop.request_stop();
  const Result<BlobPart> part = blob.part(0, kAll, stop.get_token());
  ASSERT_FALSE(part);
  EXPECT_EQ(part.error().blame, Blame::kInterrupted);
}

}  // namespace
}  // namespace trainmake
