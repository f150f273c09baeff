#include "rules/data/copy_order.h"

#include <gtest/gtest.h>

#include <list>
#include <set>
#include <string>

namespace trainmake {
namespace {

// Copies by name, done in memory in the order that is said.
struct Copies {
  std::list<ListedFile> files;
  std::map<std::string, std::string> from;
  CopyOrder order;

  void add(const std::string& to, const std::string& source, std::uint64_t size = 1) {
    files.push_back({to, to, "", size, 0644, {}, {}});
    from[to] = source;
    order.add(&files.back(), from[to]);
  }
  // The waves; whether each copy was made of what lay there before any of them.
  CopyOrder::Waves play() {
    const CopyOrder::Waves waves = order.waves();
    std::set<std::string> overwritten;
    std::size_t count = waves.sent.size();
    for (const auto& wave : waves.copied) {
      for (const ListedFile* file : wave) EXPECT_FALSE(overwritten.contains(from[file->key])) << file->key;
      for (const ListedFile* file : wave) {
        // Of one wave, in any order.
        for (const ListedFile* other : wave) EXPECT_TRUE(other == file || from[other->key] != file->key);
        overwritten.insert(file->key);
      }
      count += wave.size();
    }
    EXPECT_EQ(count, files.size());
    return waves;
  }
};

TEST(CopyOrder, WhatIsReadByOthersIsOverwrittenAfterThem) {
  Copies copies;
  copies.add("b", "a");
  copies.add("c", "b");
  copies.add("d", "c");
  copies.add("e", "c");
  const CopyOrder::Waves waves = copies.play();
  EXPECT_TRUE(waves.sent.empty());
  EXPECT_EQ(waves.copied.size(), 3U);
}

TEST(CopyOrder, OfACircleTheSmallestIsSent) {
  Copies copies;
  copies.add("a", "b", 9);
  copies.add("b", "c", 3);
  copies.add("c", "a", 5);
  copies.add("d", "a", 1);
  const CopyOrder::Waves waves = copies.play();
  ASSERT_EQ(waves.sent.size(), 1U);
  EXPECT_EQ(waves.sent.front()->key, "b");
}

TEST(CopyOrder, AThousandCirclesTakeNoLongerThanOne) {
  Copies copies;
  for (int i = 0; i < 1000; ++i) {
    copies.add("l" + std::to_string(i), "r" + std::to_string(i));
    copies.add("r" + std::to_string(i), "l" + std::to_string(i));
  }
  const CopyOrder::Waves waves = copies.play();
  EXPECT_EQ(waves.sent.size(), 1000U);
  EXPECT_EQ(waves.copied.size(), 1U);
}

TEST(CopyOrder, ALongRowIsCutIntoShortOnes) {
  Copies copies;
  for (int i = 0; i < 10'000; ++i) copies.add(std::to_string(i + 1), std::to_string(i));
  const CopyOrder::Waves waves = copies.play();
  EXPECT_LT(waves.sent.size(), 700U);
  EXPECT_LT(waves.copied.size(), 20U);
}

TEST(CopyOrder, WhatIsCopiedToWhereItLiesHoldsUpNobody) {
  Copies copies;
  copies.add("a", "a");
  copies.add("b", "a");
  const CopyOrder::Waves waves = copies.order.waves();
  EXPECT_TRUE(waves.sent.empty());
}

}  // namespace
}  // namespace trainmake
