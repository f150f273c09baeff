#include "rules/image/difference.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>

#include "engine/base/text.h"
#include "engine/container/unpack.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

class DifferenceOf : public testing::Test {
 protected:
  DifferenceOf() {
    std::filesystem::create_directories(scratch_.path("upper"));
    std::filesystem::create_directories(scratch_.path("base"));
  }

  void hide(const std::string& path) const {
    std::filesystem::create_directories(std::filesystem::path(scratch_.path(path)).parent_path());
    ASSERT_EQ(mknod(scratch_.path(path).c_str(), S_IFCHR, makedev(0, 0)), 0);
  }

  // One word an entry, with its mode where that tells something.
  std::string found() const {
    const Result<Difference> difference = find_difference(scratch_.path("upper"), {scratch_.path("base")});
    if (!difference) return difference.error().message;
    std::string text;
    for (const Change& change : difference->changes) {
      const TarEntry& entry = change.entry;
      text += cat(text.empty() ? "" : " ", entry.path);
      if (entry.kind == TarEntry::Kind::kFolder) text += "/";
      if (entry.kind == TarEntry::Kind::kLink) text += cat("->", entry.link_target);
      if (entry.kind == TarEntry::Kind::kHardLink) text += cat("=", entry.link_target);
    }
    for (const std::string& path : difference->left_out) text += cat(" !", path);
    return text;
  }

  std::string written(const Secrets& secrets) const {
    std::string tar;
    const Result<Difference> difference = find_difference(scratch_.path("upper"), {scratch_.path("base")});
    const Result<void> done = write_difference(*difference, secrets,
                                               [&](std::string_view bytes) -> Result<void> {
                                                 tar += bytes;
                                                 return {};
                                               },
                                               {});
    return done ? tar : done.error().message;
  }

  ScratchFolder scratch_;
};

TEST_F(DifferenceOf, NothingIsNothing) { EXPECT_EQ(found(), ""); }

TEST_F(DifferenceOf, WhatIsNewComesInOrderWithItsFolders) {
  scratch_.write("base/etc/passwd", "root");
  scratch_.write("upper/etc/group", "root");
  scratch_.write("upper/b", "1");
  scratch_.write("upper/a/b/c", "1");
  std::filesystem::create_symlink("b", scratch_.path("upper/l"));
  EXPECT_EQ(found(), "a/ a/b/ a/b/c b etc/ etc/group l->b");
}

TEST_F(DifferenceOf, WhatWasOnlyTouchedIsNoChange) {
  scratch_.write("base/etc/passwd", "root");
  scratch_.write("base/etc/group", "root");
  scratch_.write("upper/etc/passwd", "root");
  scratch_.write("upper/etc/group", "else");
  EXPECT_EQ(found(), "etc/ etc/group");
  scratch_.write("upper/etc/group", "root");
  EXPECT_EQ(found(), "");
  ASSERT_EQ(chmod(scratch_.path("upper/etc/passwd").c_str(), 0600), 0);
  EXPECT_EQ(found(), "etc/ etc/passwd");
}

TEST_F(DifferenceOf, AFolderWithAnotherModeIsAChange) {
  std::filesystem::create_directories(scratch_.path("base/a"));
  std::filesystem::create_directories(scratch_.path("upper/a"));
  ASSERT_EQ(chmod(scratch_.path("upper/a").c_str(), 01777), 0);
  EXPECT_EQ(found(), "a/");
}

TEST_F(DifferenceOf, WhatWasRemovedIsAWhiteout) {
  scratch_.write("base/etc/passwd", "root");
  scratch_.write("base/var/cache/x", "1");
  hide("upper/etc/passwd");
  hide("upper/var");
  hide("upper/mounted");  // of nothing that the layers have
  EXPECT_EQ(found(), "etc/ etc/.wh.passwd .wh.var");
}

TEST_F(DifferenceOf, AFolderThatWasMadeAnewHidesWhatWasInIt) {
  scratch_.write("base/var/old", "1");
  scratch_.write("base/var/same", "1");
  scratch_.write("upper/var/same", "1");
  ASSERT_EQ(setxattr(scratch_.path("upper/var").c_str(), opaque_attribute(), "y", 1, 0), 0);
  EXPECT_EQ(found(), "var/ var/.wh..wh..opq var/same");
}

TEST_F(DifferenceOf, HardLinksStayLinks) {
  scratch_.write("upper/a", "1");
  std::filesystem::create_hard_link(scratch_.path("upper/a"), scratch_.path("upper/b"));
  EXPECT_EQ(found(), "a b=a");
}

TEST_F(DifferenceOf, WhatNoLayerHoldsIsNamed) {
  ASSERT_EQ(mkfifo(scratch_.path("upper/pipe").c_str(), 0600), 0);
  EXPECT_EQ(found(), " !pipe");
}

TEST_F(DifferenceOf, WhatNobodyMayReadIsReadAllTheSame) {
  scratch_.write("upper/private/key", "12345");
  ASSERT_EQ(chmod(scratch_.path("upper/private/key").c_str(), 0), 0);
  ASSERT_EQ(chmod(scratch_.path("upper/private").c_str(), 0), 0);
  EXPECT_NE(written({}).find("12345"), std::string::npos);
}

TEST_F(DifferenceOf, KeepsAttributesButOverlaysOwn) {
  scratch_.write("upper/a", "1");
  ASSERT_EQ(setxattr(scratch_.path("upper/a").c_str(), "user.kind", "x", 1, 0), 0);
  ASSERT_EQ(setxattr(scratch_.path("upper/a").c_str(), "user.overlay.origin", "x", 1, 0), 0);
  const Result<Difference> difference = find_difference(scratch_.path("upper"), {});
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->changes.at(0).entry.xattrs, (std::map<std::string, std::string>{{"user.kind", "x"}}));
}

TEST_F(DifferenceOf, ASecretInItIsAnErrorThatNamesTheFile) {
  scratch_.write("upper/etc/pip.conf", std::string(300'000, 'x') + "token s3cr3t-value");
  EXPECT_EQ(written({{"TOKEN", "s3cr3t-value"}}),
            "The value of secret `TOKEN` stands in `/etc/pip.conf`, which the step left in the image");
  EXPECT_NE(written({{"SHORT", "x"}}).find("s3cr3t"), std::string::npos);
}

TEST_F(DifferenceOf, ASecretAcrossTwoPiecesIsFound) {
  for (const std::size_t before : {65'530U, 131'066U, 262'138U}) {
    scratch_.write("upper/f", std::string(before, 'x') + "s3cr3t-value" + std::string(600'000, 'y'));
    EXPECT_TRUE(written({{"TOKEN", "s3cr3t-value"}}).starts_with("The value of secret")) << before;
  }
}

TEST_F(DifferenceOf, ASecretInANameIsFound) {
  std::filesystem::create_symlink("s3cr3t-value", scratch_.path("upper/l"));
  EXPECT_EQ(written({{"TOKEN", "s3cr3t-value"}}),
            "The value of secret `TOKEN` stands in `/l`, which the step left in the image");
}

TEST_F(DifferenceOf, IsTheSameBytesWhateverTheTimes) {
  scratch_.write("upper/a", "1");
  const std::string first = written({});
  const timespec times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, scratch_.path("upper/a").c_str(), times, 0), 0);
  EXPECT_EQ(written({}), first);
}

}  // namespace
}  // namespace trainmake
