// What the file system in memory offers to tests, beside being one.
#include "tests/support/mem_fs.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace trainmake {
namespace {

using Lines = std::vector<std::string>;

TEST(MemFs, WritesDownWhatItIsAsked) {
  MemFileSystem files;
  files.put("a/b", "x");
  ASSERT_TRUE(files.look("a/b"));
  ASSERT_TRUE(files.list("a"));
  ASSERT_TRUE(read_file(files, "a/b"));
  ASSERT_TRUE(write_file(files, "c", "y"));
  EXPECT_EQ(files.take_log(), (Lines{"look a/b", "list a", "open a/b", "create c", "write c", "commit c"}));
  EXPECT_EQ(files.take_log(), Lines{});
}

TEST(MemFs, FailsWhereItIsTold) {
  MemFileSystem files;
  files.put("a", "x");
  files.refuse("open a", EACCES);
  EXPECT_EQ(read_file(files, "a").error().message, "Cannot open `a`: Permission denied");
  files.refuse("open a", 0);
  EXPECT_EQ(read_file(files, "a").value(), "x");
}

TEST(MemFs, FailsTheNthTimeOnly) {
  MemFileSystem files;
  files.fail_nth("write", 2, ENOSPC);
  EXPECT_TRUE(write_file(files, "a", "x").has_value());
  EXPECT_FALSE(write_file(files, "b", "x").has_value());
  EXPECT_TRUE(write_file(files, "c", "x").has_value());
  EXPECT_EQ(files.all_files(), (Lines{"a", "c"}));
}

TEST(MemFs, TimeMovesWithEveryChange) {
  MemFileSystem files;
  files.put("a", "x");
  const Stat before = files.look("a").value();
  files.put("a", "y");
  const Stat after = files.look("a").value();
  EXPECT_GT(after.mtime_ns, before.mtime_ns);
  EXPECT_EQ(after.inode, before.inode);
}

TEST(MemFs, AFileMayChangeWhileItIsRead) {
  MemFileSystem files;
  files.put("a", "old");
  files.on_open = [&](const std::string& path) { files.put(path, "newer"); };
  const Stat before = files.look("a").value();
  const auto reader = files.open("a").value();
  EXPECT_NE(reader->stat().value(), before);
}

}  // namespace
}  // namespace trainmake
