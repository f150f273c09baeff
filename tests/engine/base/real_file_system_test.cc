// What only the real file system can show: permissions, pipes, locks between processes.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "engine/base/file_lock.h"
#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

TEST(RealFileSystem, ErrorsNameThePathAndTheReason) {
  const auto opened = real_file_system().open("/nowhere/at/all");
  EXPECT_EQ(opened.error().message, "Cannot open `/nowhere/at/all`: No such file or directory");
}

TEST(RealFileSystem, APipeIsRefusedInsteadOfWaitedFor) {
  const ScratchFolder scratch;
  ASSERT_EQ(::mkfifo(scratch.path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(read_file(real_file_system(), scratch.path("pipe")).has_value());
  EXPECT_TRUE(real_file_system().look(scratch.path("pipe")).value().is(FileKind::kOther));
}

TEST(RealFileSystem, RemoveGetsThroughReadOnlyFolders) {
  const ScratchFolder scratch;
  scratch.write("tree/locked/file", "x");
  ASSERT_EQ(::chmod(scratch.path("tree/locked").c_str(), 0000), 0);
  ASSERT_EQ(::chmod(scratch.path("tree").c_str(), 0500), 0);
  EXPECT_TRUE(real_file_system().remove(scratch.path("tree")).has_value());
  EXPECT_FALSE(scratch.has("tree"));
}

TEST(RealFileSystem, EmptyFilesOfTheKernelAreReadToTheirEnd) {
  const std::string status = read_file(real_file_system(), "/proc/self/status").value();
  EXPECT_NE(status.find("Pid:"), std::string::npos) << "their size is said to be 0";
}

TEST(FileLock, ExclusiveKeepsEverybodyElseOut) {
  const ScratchFolder scratch;
  auto held = try_lock(scratch.path("sub/lock"), FileLock::Mode::kExclusive).value();
  ASSERT_TRUE(held.has_value());
  EXPECT_FALSE(try_lock(scratch.path("sub/lock"), FileLock::Mode::kExclusive).value().has_value());
  EXPECT_FALSE(try_lock(scratch.path("sub/lock"), FileLock::Mode::kShared).value().has_value());
  held.reset();
  EXPECT_TRUE(try_lock(scratch.path("sub/lock"), FileLock::Mode::kExclusive).value().has_value());
}

TEST(FileLock, SharedLetsOthersShare) {
  const ScratchFolder scratch;
  const auto first = try_lock(scratch.path("lock"), FileLock::Mode::kShared).value();
  EXPECT_TRUE(try_lock(scratch.path("lock"), FileLock::Mode::kShared).value().has_value());
  EXPECT_FALSE(try_lock(scratch.path("lock"), FileLock::Mode::kExclusive).value().has_value());
}

TEST(FileLock, GoesWithTheProcessThatHeldIt) {
  const ScratchFolder scratch;
  const std::string path = scratch.path("lock");
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = try_lock(path, FileLock::Mode::kExclusive);
    ::_exit(held.has_value() && held->has_value() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(try_lock(path, FileLock::Mode::kExclusive).value().has_value());
}

std::size_t count_below(const std::string& folder) {
  const auto all = std::filesystem::recursive_directory_iterator(folder);
  return static_cast<std::size_t>(
      std::count_if(begin(all), end(all), [](const auto& entry) { return entry.is_regular_file(); }));
}

TEST(RealFileSystem, WhatIsWrittenAsideIsNotSeenBesideItsName) {
  const ScratchFolder scratch;
  scratch.write("data/x", "x");
  const auto writer =
      real_file_system().create(scratch.path("data/new/f"), {0644, true, false, scratch.path("aside/deep")});
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->append("content"));
  EXPECT_EQ(count_below(scratch.path("data")), 1U);
  EXPECT_EQ(count_below(scratch.path("aside")), 1U);
  ASSERT_TRUE((*writer)->commit());
  EXPECT_EQ(scratch.read("data/new/f"), "content");
  EXPECT_EQ(count_below(scratch.path("aside")), 0U);
}

TEST(RealFileSystem, WhatWasWrittenAsideMayTurnOutToBeOnAnotherDisk) {
  const ScratchFolder scratch;
  struct ::stat here {
  }, there{};
  if (::stat(scratch.path().c_str(), &here) != 0 || ::stat("/dev/shm", &there) != 0 ||
      here.st_dev == there.st_dev)
    GTEST_SKIP() << "no second file system";
  const std::string aside = cat("/dev/shm/trainmake-test-", ::getpid());
  const std::string content(10'000'000, 'c');
  ASSERT_TRUE(write_file(real_file_system(), scratch.path("f"), content, {0600, true, false, aside}));
  EXPECT_EQ(scratch.read("f"), content);
  EXPECT_EQ(std::filesystem::status(scratch.path("f")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(count_below(aside), 0U);
  EXPECT_EQ(count_below(scratch.path()), 1U);
  std::filesystem::remove_all(aside);
}

TEST(FileLock, MovesWithoutBeingFreed) {
  const ScratchFolder scratch;
  auto held = try_lock(scratch.path("lock"), FileLock::Mode::kExclusive).value();
  const FileLock moved = std::move(*held);
  held.reset();
  EXPECT_FALSE(try_lock(scratch.path("lock"), FileLock::Mode::kExclusive).value().has_value());
}

}  // namespace
}  // namespace trainmake
