#include "engine/container/merged.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <filesystem>

#include "engine/container/unpack.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

class Merged : public testing::Test {
 protected:
  void hide(const std::string& path) const {
    ASSERT_EQ(mknod(scratch_.path(path).c_str(), S_IFCHR, makedev(0, 0)), 0);
  }
  void make_opaque(const std::string& path) const {
    ASSERT_EQ(setxattr(scratch_.path(path).c_str(), opaque_attribute(), "y", 1, 0), 0);
  }
  void link(const std::string& target, const std::string& path) const {
    std::filesystem::create_directories(std::filesystem::path(scratch_.path(path)).parent_path());
    std::filesystem::create_symlink(target, scratch_.path(path));
  }
  // Where a path is seen of: "" is nowhere.
  std::string seen(const std::string& path) const {
    const auto found = follow_merged(layers(), path);
    if (!found) return "circles";
    return found->entry ? found->entry->path.substr(scratch_.path().size() + 1) : "";
  }
  std::vector<std::string> layers() const { return {scratch_.path("top"), scratch_.path("base")}; }

  ScratchFolder scratch_;
};

TEST_F(Merged, TheTopLayerHidesAFileOfTheSameName) {
  scratch_.write("base/a", "1");
  scratch_.write("base/b", "1");
  scratch_.write("top/a", "2");
  EXPECT_EQ(seen("/a"), "top/a");
  EXPECT_EQ(seen("/b"), "base/b");
  EXPECT_EQ(seen("/c"), "");
}

TEST_F(Merged, FoldersAreMergedUnlessOpaque) {
  scratch_.write("base/d/a", "1");
  scratch_.write("base/e/a", "1");
  scratch_.write("top/d/b", "2");
  scratch_.write("top/e/b", "2");
  make_opaque("top/e");
  EXPECT_EQ(seen("/d/a"), "base/d/a");
  EXPECT_EQ(seen("/d/b"), "top/d/b");
  EXPECT_EQ(seen("/e/a"), "");
}

TEST_F(Merged, WhiteoutsHideFilesAndFolders) {
  scratch_.write("base/d/a", "1");
  scratch_.write("base/f", "1");
  scratch_.write("top/x", "");
  hide("top/d");
  hide("top/f");
  EXPECT_EQ(seen("/d/a"), "");
  EXPECT_EQ(seen("/f"), "");
}

TEST_F(Merged, AFileBetweenFoldersEndsTheirMerge) {
  scratch_.write("base/d/a", "1");
  scratch_.write("top/d", "2");
  EXPECT_EQ(seen("/d"), "top/d");
  EXPECT_EQ(seen("/d/a"), "");
}

TEST_F(Merged, FollowsLinksWithinTheRoot) {
  scratch_.write("base/usr/bin/sh", "1");
  link("usr/bin", "top/bin");
  link("../../../../usr/bin/sh", "top/opt/sh");
  link("/nowhere/else", "top/gone");
  EXPECT_EQ(seen("/bin/sh"), "base/usr/bin/sh");
  EXPECT_EQ(seen("/opt/sh"), "base/usr/bin/sh");
  EXPECT_EQ(follow_merged(layers(), "/bin/../x/y")->path, "/usr/x/y");
  EXPECT_EQ(follow_merged(layers(), "/gone")->path, "/nowhere/else");
  EXPECT_EQ(follow_merged(layers(), "/")->path, "/");
}

TEST_F(Merged, LinksThatGoInCirclesLeadNowhere) {
  link("b", "base/a");
  link("a", "base/b");
  EXPECT_EQ(seen("/a"), "circles");
}

}  // namespace
}  // namespace trainmake
