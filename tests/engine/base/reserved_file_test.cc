// A file that took its room before.
#include "engine/base/reserved_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/base/file_system.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

std::string bytes_of(const std::string& path) {
  return read_file(real_file_system(), path).value_or("cannot be read");
}

struct Reserved {
  ScratchFolder folder;
  std::string path = folder.path("reserve");

  Reserved() { folder.write("reserve", ReservedFile::empty()); }
  std::string said() const { return ReservedFile::said_in(bytes_of(path)); }
};

TEST(ReservedFile, SaysTheLastThatItWasTold) {
  const Reserved made;
  auto reserve = ReservedFile::open(made.path);
  ASSERT_TRUE(reserve);
  EXPECT_EQ(made.said(), "");
  ASSERT_TRUE(reserve->say("the disk is full"));
  ASSERT_TRUE(reserve->say("no"));
  EXPECT_EQ(made.said(), "no");
  ASSERT_TRUE(reserve->say(""));
  EXPECT_EQ(made.said(), "");
}

TEST(ReservedFile, TakesNoMoreRoomThanItHas) {
  const Reserved made;
  auto reserve = ReservedFile::open(made.path);
  ASSERT_TRUE(reserve);
  ASSERT_TRUE(reserve->say(std::string(2 * ReservedFile::kRoom, 'x')));
  EXPECT_EQ(made.said(), std::string(ReservedFile::kRoom - 2, 'x'));
  EXPECT_EQ(std::filesystem::file_size(made.path), ReservedFile::kRoom);
}

TEST(ReservedFile, BecomesAnotherFileWithNothingButWhatThatIs) {
  const Reserved made;
  const std::string end = made.folder.path("end");
  auto reserve = ReservedFile::open(made.path);
  ASSERT_TRUE(reserve);
  ASSERT_TRUE(reserve->say("something is in the way"));
  std::filesystem::create_directories(path_join(end, "x"));
  EXPECT_FALSE(reserve->become(end, "{}\n"));
  EXPECT_EQ(made.said(), "");
  std::filesystem::remove_all(end);
  ASSERT_TRUE(reserve->become(end, "{}\n"));
  EXPECT_EQ(bytes_of(end), "{}\n");
  EXPECT_FALSE(std::filesystem::exists(made.path));
}

}  // namespace
}  // namespace trainmake
