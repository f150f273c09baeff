// Folders that were renamed, and those that were not.
#include "engine/base/move_watch.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

using Told = MoveWatch::Told;

TEST(MoveWatch, TellsWhichWereRenamedWhateverBecameOfThemThen) {
  const ScratchFolder scratch;
  for (const char* file : {"moved/a", "stays/a", "above/below/a"}) scratch.write(file, "");
  MoveWatch watch;
  for (const char* folder : {"moved", "stays", "above", "above/below"}) watch.add(scratch.path(folder));
  for (const char* folder : {"moved", "above"}) {
    std::filesystem::rename(scratch.path(folder), scratch.path("aside"));
    std::filesystem::rename(scratch.path("aside"), scratch.path(folder));
  }
  for (const char* file : {"moved/b", "stays/b"}) {
    scratch.write(file, "");
    std::filesystem::remove(scratch.path(file));
  }
  EXPECT_EQ(watch.told_of(scratch.path("moved")), Told::kMoved);
  EXPECT_EQ(watch.told_of(scratch.path("stays")), Told::kStayed);
  EXPECT_EQ(watch.told_of(scratch.path("above")), Told::kMoved);
  EXPECT_EQ(watch.told_of(scratch.path("above/below")), Told::kStayed);
}

TEST(MoveWatch, KnowsNothingOfWhatItDoesNotWatchOrIsGone) {
  const ScratchFolder scratch;
  scratch.write("gone/a", "");
  MoveWatch watch;
  watch.add(scratch.path("gone"));
  watch.add(scratch.path("never"));
  watch.add("/proc");
  std::filesystem::remove_all(scratch.path("gone"));
  scratch.write("gone/a", "");
  for (const std::string& folder : {scratch.path("gone"), scratch.path("never"), std::string("/proc")})
    EXPECT_EQ(watch.told_of(folder), Told::kNotKnown) << folder;
}

}  // namespace
}  // namespace trainmake
