// Removing what is not wanted in a folder.
#include "engine/base/tree_size.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

TEST(TreeSize, OthersAreRemovedAndCounted) {
  MemFileSystem files;
  files.put("/top/wanted", "12");
  files.put("/top/file", "123");
  files.put("/top/folder/inside/file", "1234");
  EXPECT_EQ(remove_others(files, "/top", [](const std::string& name) { return name == "wanted"; }), 7U);
  EXPECT_EQ(files.all_files(), std::vector<std::string>{"top/wanted"});
  EXPECT_EQ(remove_others(files, "/none", [](const std::string&) { return false; }), 0U);
}

TEST(TreeSize, WhatMayNotBeReadIsRemovedToo) {
  MemFileSystem files;
  files.put("/top/closed/file", "123");
  files.put("/top/open/file", "1234");
  files.refuse("list /top/closed", EACCES);
  EXPECT_EQ(remove_others(files, "/top", [](const std::string&) { return false; }), 4U);
  EXPECT_EQ(files.all_files(), std::vector<std::string>());
}

}  // namespace
}  // namespace trainmake
