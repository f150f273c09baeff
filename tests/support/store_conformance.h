// What every store promises, as a suite, for one file of tests: instantiate it there with functions that make
// empty ones.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "tests/support/store_under_test.h"

namespace trainmake {

class StoreConformance : public testing::TestWithParam<MakeStore> {
 protected:
  StoreUnderTest under = GetParam()();
  Store& store = *under.store;

  std::map<std::string, std::uint64_t> listed(const std::string& prefix) {
    std::map<std::string, std::uint64_t> found;
    EXPECT_TRUE(store.list(prefix, [&](const StoredObject& object) { found[object.key] = object.size; }));
    return found;
  }
};

TEST_P(StoreConformance, WhatWasPutIsThere) {
  ASSERT_TRUE(store.put("a/b", "hello"));
  EXPECT_EQ(**store.get("a/b"), "hello");
}

TEST_P(StoreConformance, WhatWasNotPutIsNot) { EXPECT_FALSE(*store.get("a/b")); }

TEST_P(StoreConformance, PuttingAgainReplaces) {
  ASSERT_TRUE(store.put("k", "one"));
  ASSERT_TRUE(store.put("k", "two"));
  EXPECT_EQ(**store.get("k"), "two");
}

TEST_P(StoreConformance, AFileTravelsWhole) {
  const std::string bytes(700'000, 'x');
  under.files->put("/src/f", bytes);
  ASSERT_TRUE(store.put_file("k", "/src/f", digest_of(bytes), {}));
  EXPECT_EQ(**store.get("k"), bytes);
}

TEST_P(StoreConformance, AFileThatIsNotWhatWasDigestedIsRefused) {
  under.files->put("/src/f", "now");
  EXPECT_FALSE(store.put_file("k", "/src/f", digest_of("before"), {}));
  EXPECT_FALSE(*store.get("k"));
}

TEST_P(StoreConformance, EmptyAndOddKeysAreKept) {
  for (const std::string& key : {std::string("empty"), std::string("c d+ü.txt"), std::string("new\nline"),
                                 std::string(under.takes_any_bytes ? "\xff\xfe" : "%41 & <b>\"")}) {
    ASSERT_TRUE(store.put(key, "")) << key;
    EXPECT_EQ(**store.get(key), "");
  }
  EXPECT_EQ(listed("").size(), 4U);
}

TEST_P(StoreConformance, ListsWhatBeginsWithThePrefix) {
  for (const char* key : {"a/1", "a/2/3", "ab", "b"}) ASSERT_TRUE(store.put(key, "xyz"));
  EXPECT_EQ(listed("a/"), (std::map<std::string, std::uint64_t>{{"a/1", 3}, {"a/2/3", 3}}));
  EXPECT_EQ(listed("a").size(), 3U);
  EXPECT_EQ(listed("").size(), 4U);
  EXPECT_TRUE(listed("zzz").empty());
}

TEST_P(StoreConformance, WhatIsRemovedIsGoneAndItsNeighboursStay) {
  ASSERT_TRUE(store.put("a/1", "x"));
  ASSERT_TRUE(store.put("a/2", "x"));
  ASSERT_TRUE(store.remove("a/1"));
  EXPECT_FALSE(*store.get("a/1"));
  EXPECT_TRUE(*store.get("a/2"));
}

TEST_P(StoreConformance, RemovingAKeyLeavesThoseBelowItsNameAlone) {
  ASSERT_TRUE(store.put("a/b", "x"));
  ASSERT_TRUE(store.remove("a"));
  EXPECT_EQ(store.get("a/b").value(), "x");
}

TEST_P(StoreConformance, RemovingWhatIsNotThereIsFine) { EXPECT_TRUE(store.remove("nothing")); }

TEST_P(StoreConformance, KeysThatLeadOutAreRefused) {
  for (const char* key : {"../x", "/x", "", "a/../../x"}) EXPECT_FALSE(store.put(key, "x")) << key;
}

}  // namespace trainmake
