#include "cache/listing.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

ListedFile file(std::string key, std::string source = "") {
  return {std::move(key), std::move(source), "", 1, 0644, {}, {}};
}

bool is_read(const Listing& listing) { return decode_listing(encode(listing)).has_value(); }

TEST(Listing, IsReadAsItWasWritten) {
  EXPECT_TRUE(is_read({}));
  EXPECT_TRUE(is_read({file("..d/..."), file("a", "vision/a"), file("b/c")}));
}

TEST(Listing, WhatLeadsOutOfItsFolderIsRefused) {
  for (const char* path : {"..", "../a", "a/../../b", "a//b", "./a", "a//", "../", "/", "/a/../b", "//a"}) {
    EXPECT_FALSE(is_read({file(path)})) << path;
    EXPECT_FALSE(is_read({file("a", path)})) << path;
  }
  EXPECT_FALSE(is_read({file("")}));
  EXPECT_FALSE(is_read({file("/mnt/set/a")}));
  EXPECT_TRUE(is_read({file("a", "/mnt/set/a")}));
}

TEST(Listing, AnEmptyFolderIsAKeyWithASlash) {
  EXPECT_TRUE(is_read({file("a"), file("a-b/"), file("a/b/")}));
  EXPECT_FALSE(is_read({file("a", "b/")})) << "which is no file";
}

TEST(Listing, KeysAreInOrderAndEachOnce) {
  EXPECT_FALSE(is_read({file("b"), file("a")}));
  EXPECT_FALSE(is_read({file("a"), file("a")}));
}

}  // namespace
}  // namespace trainmake
