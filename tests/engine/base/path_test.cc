#include <gtest/gtest.h>

#include "engine/base/file_system.h"

namespace trainmake {
namespace {

TEST(Path, JoinLeavesOutNothingAndDot) {
  EXPECT_EQ(path_join("a", "b/c"), "a/b/c");
  EXPECT_EQ(path_join("", "b"), "b");
  EXPECT_EQ(path_join(".", "b"), "b");
  EXPECT_EQ(path_join("a", ""), "a");
  EXPECT_EQ(path_join("a", "."), "a");
  EXPECT_EQ(path_join("", "."), "");
  EXPECT_EQ(path_join("/", "b"), "/b");
}

TEST(Path, JoinLetsAnAbsoluteSecondPartWin) { EXPECT_EQ(path_join("a", "/b"), "/b"); }

TEST(Path, FolderAndNameTakeAPathApart) {
  EXPECT_EQ(path_folder("a/b/c"), "a/b");
  EXPECT_EQ(path_name("a/b/c"), "c");
  EXPECT_EQ(path_folder("a"), "");
  EXPECT_EQ(path_name("a"), "a");
  EXPECT_EQ(path_folder("/a"), "/");
}

TEST(Path, ClimbingByFolderEndsAtNothing) {
  std::vector<std::string> met;
  for (std::string_view at = "/a/b"; !at.empty(); at = path_folder(at)) met.emplace_back(at);
  EXPECT_EQ(met, (std::vector<std::string>{"/a/b", "/a", "/"}));
}

TEST(Path, CleanTakesDotsAway) {
  EXPECT_EQ(path_clean("a/./b//../c"), "a/c");
  EXPECT_EQ(path_clean("./"), "");
  EXPECT_EQ(path_clean("/a/.."), "/");
  EXPECT_EQ(path_clean("a/b/"), "a/b");
}

TEST(Path, CleanRefusesToClimbAboveItsStart) {
  EXPECT_EQ(path_clean("../a"), std::nullopt);
  EXPECT_EQ(path_clean("a/../.."), std::nullopt);
  EXPECT_EQ(path_clean("/.."), std::nullopt);
}

TEST(Path, BelowIsTheRestOfThePath) {
  EXPECT_EQ(path_below("/a/b/c", "/a"), "b/c");
  EXPECT_EQ(path_below("/a", "/a"), "");
  EXPECT_EQ(path_below("/a", "/"), "a");
  EXPECT_EQ(path_below("a/b", ""), "a/b");
}

TEST(Path, BelowKnowsThatALongerNameIsAnother) {
  EXPECT_EQ(path_below("/ab", "/a"), std::nullopt);
  EXPECT_EQ(path_below("/b", "/a"), std::nullopt);
  EXPECT_EQ(path_below("/a", ""), std::nullopt);
}

TEST(Path, AbsoluteIsFromTheCurrentFolderAndClean) {
  EXPECT_EQ(absolute_path("a/../b"), path_join(current_folder(), "b"));
  EXPECT_EQ(absolute_path(""), current_folder());
  EXPECT_EQ(absolute_path("/../x/./y"), "/x/y");
}

}  // namespace
}  // namespace trainmake
