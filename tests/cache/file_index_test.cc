#include "cache/file_index.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

struct Some {
  explicit Some(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      paths.push_back(cat("folder-", i % 7, "/file-", i, std::string(i % 40, 'x')));
    std::sort(paths.begin(), paths.end());
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto time = static_cast<std::int64_t>(i * 1000);
      entries.push_back({paths[i],
                         {i, time, -time, i + 7, 0644, FileKind::kFile},
                         {i, ~i},
                         i % 3 == 0,
                         static_cast<std::uint32_t>(i % 60)});
    }
  }
  std::vector<std::string> paths;
  std::vector<FileIndex::Entry> entries;
};

std::string encode(const std::vector<FileIndex::Entry>& entries) {
  std::size_t path_bytes = 0;
  for (const FileIndex::Entry& entry : entries) path_bytes += entry.path.size();
  FileIndex::Writer writer(entries.size(), path_bytes);
  for (const FileIndex::Entry& entry : entries) writer.add(entry);
  return writer.finish();
}

TEST(FileIndex, GivesBackWhatWasEncoded) {
  const Some some(1000);
  const std::optional<FileIndex> index = FileIndex::parse(encode(some.entries));
  ASSERT_TRUE(index);
  ASSERT_EQ(index->size(), 1000U);
  for (std::size_t i = 0; i < index->size(); ++i) {
    const FileIndex::Entry entry = (*index)[i];
    EXPECT_EQ(entry.path, some.entries[i].path);
    EXPECT_EQ(entry.stat, some.entries[i].stat);
    EXPECT_EQ(entry.digest, some.entries[i].digest);
    EXPECT_EQ(entry.age, some.entries[i].age);
    EXPECT_EQ(entry.holds_key, some.entries[i].holds_key);
  }
}

TEST(FileIndex, AnEmptyOneIsFine) {
  const std::optional<FileIndex> index = FileIndex::parse(encode({}));
  ASSERT_TRUE(index);
  EXPECT_EQ(index->lower_bound("a", 0), 0U);
}

TEST(FileIndex, FindsFromAnyPlaceBefore) {
  const Some some(300);
  const FileIndex index = *FileIndex::parse(encode(some.entries));
  for (std::size_t wanted = 0; wanted < 300; wanted += 7) {
    for (std::size_t from = 0; from <= wanted; from += 5) {
      EXPECT_EQ(index.lower_bound(some.paths[wanted], from), wanted);
      EXPECT_EQ(index.lower_bound(some.paths[wanted] + "!", from), wanted + 1);
    }
  }
  EXPECT_EQ(index.lower_bound("zzz", 3), 300U);
}

TEST(FileIndex, RefusesEveryCutAndEveryFlippedByte) {
  const std::string whole = encode(Some(5).entries);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(FileIndex::parse(whole.substr(0, size))) << size;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    EXPECT_FALSE(FileIndex::parse(flipped)) << at;
  }
  EXPECT_FALSE(FileIndex::parse(whole + "x"));
}

}  // namespace
}  // namespace trainmake
