#include "engine/base/lock_table.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

std::ptrdiff_t open_files() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST(LockTable, ALockIsHeldByOneAtATime) {
  const ScratchFolder folder;
  LockTable table(folder.path("locks/steps")), another(folder.path("locks/steps"));
  std::optional<FileLock> held = table.try_lock("a").value();
  ASSERT_TRUE(held);
  EXPECT_FALSE(table.try_lock("a").value());
  EXPECT_FALSE(another.try_lock("a").value());
  EXPECT_TRUE(another.try_lock("b").value());
  held.reset();
  EXPECT_TRUE(another.try_lock("a").value());
  EXPECT_TRUE(table.try_lock("a").value());
}

TEST(LockTable, AThousandLocksAreOneOpenFile) {
  const ScratchFolder folder;
  LockTable table(folder.path("steps"));
  const std::ptrdiff_t before = open_files();
  std::vector<FileLock> held;
  for (int i = 0; i < 1000; ++i) held.push_back(*table.try_lock(std::to_string(i)).value());
  EXPECT_EQ(open_files(), before + 1);
}

TEST(LockTable, ALockGoesWithTheProcess) {
  const ScratchFolder folder;
  const int child = ::fork();
  if (child == 0) {
    LockTable table(folder.path("steps"));
    const auto held = table.try_lock("a");
    ::_exit(held && *held ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(LockTable(folder.path("steps")).try_lock("a").value());
}

}  // namespace
}  // namespace trainmake
