// Room on a disk.
#include "engine/base/disk_space.h"

#include <gtest/gtest.h>

#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

TEST(DiskSpace, IsToldOfFoldersThatAreToBeMadeToo) {
  const ScratchFolder scratch;
  ASSERT_TRUE(free_bytes(scratch.path("")));
  EXPECT_FALSE(free_bytes(scratch.path("not/there")));
  EXPECT_TRUE(check_room(scratch.path("not/there"), 1, "a byte"));
  const auto room = check_room(scratch.path("not/there"), std::uint64_t{1} << 60U, "all of it");
  ASSERT_FALSE(room);
  EXPECT_EQ(room.error().blame, Blame::kStep);
  EXPECT_TRUE(room.error().message.starts_with("There is no room for all of it: at least 1.0 EiB in `"))
      << room.error().message;
  EXPECT_TRUE(check_room("relative/and/not/there", 1, "a byte"));
}

}  // namespace
}  // namespace trainmake
