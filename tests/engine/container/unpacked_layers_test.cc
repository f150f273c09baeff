#include "engine/container/unpacked_layers.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <filesystem>
#include <thread>

#include "engine/container/implied_folders.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tar_bytes.h"

namespace trainmake {
namespace {

class Unpacked : public testing::Test {
 protected:
  Result<UnpackedLayer> take(const Sha256& diff_id,
                             UnpackedLayers::Trust trust = UnpackedLayers::Trust::kAsItIs) {
    return layers_.take(
        diff_id,
        [&]() -> Result<std::string> {
          ++asked_;
          return scratch_.path("blob");
        },
        {}, trust);
  }

  ScratchFolder scratch_;
  const std::string tar_ = TarBytes().add('0', "a", "hello").end();
  Environment environment_;
  FakeClock clock_;
  Host host_{real_file_system(), real_processes(), real_http(), clock_, environment_};
  UnpackedLayers layers_{host_, scratch_.path("layers")};
  std::atomic<int> asked_{0};
};

TEST_F(Unpacked, UnpacksOnceAndAsksForTheBlobOnce) {
  scratch_.write("blob", tar_);
  const Result<UnpackedLayer> first = take(sha256_of(tar_));
  ASSERT_TRUE(first) << first.error().message;
  const Result<UnpackedLayer> second = take(sha256_of(tar_));
  ASSERT_TRUE(second);
  EXPECT_EQ(first->folder, second->folder);
  EXPECT_EQ(scratch_.read("layers/" + sha256_of(tar_).hex() + "/a"), "hello");
  EXPECT_EQ(asked_, 1);
}

TEST_F(Unpacked, RefusesWhatIsNotTheLayerAndLeavesNothing) {
  scratch_.write("blob", tar_);
  const Sha256 other = sha256_of("other");
  const Result<UnpackedLayer> taken = take(other);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message,
            "The layer sha256:" + other.hex() + " is sha256:" + sha256_of(tar_).hex() +
                " once it is decompressed: the image's config and its layers do not agree");
  EXPECT_FALSE(scratch_.has("layers/" + other.hex()));
  EXPECT_FALSE(scratch_.has("layers/" + other.hex() + ".new"));
}

TEST_F(Unpacked, UnpacksAnewWhatWasCutShort) {
  scratch_.write("blob", tar_);
  scratch_.write("layers/" + sha256_of(tar_).hex() + ".new/rubbish", "x");
  ASSERT_TRUE(take(sha256_of(tar_)));
  EXPECT_FALSE(scratch_.has("layers/" + sha256_of(tar_).hex() + "/rubbish"));
}

TEST_F(Unpacked, WhatIsNoFolderIsReplaced) {
  scratch_.write("blob", tar_);
  scratch_.write("layers/" + sha256_of(tar_).hex(), "rubbish");
  ASSERT_TRUE(take(sha256_of(tar_)));
  EXPECT_EQ(scratch_.read("layers/" + sha256_of(tar_).hex() + "/a"), "hello");
}

TEST_F(Unpacked, WhatLostSomethingIsWholeAgainOnceItIsVerified) {
  scratch_.write("blob", tar_);
  ASSERT_TRUE(take(sha256_of(tar_)));
  std::filesystem::remove(scratch_.path("layers/" + sha256_of(tar_).hex() + "/a"));
  ASSERT_TRUE(take(sha256_of(tar_)));
  EXPECT_FALSE(scratch_.has("layers/" + sha256_of(tar_).hex() + "/a"));
  ASSERT_TRUE(take(sha256_of(tar_), UnpackedLayers::Trust::kVerify));
  EXPECT_TRUE(scratch_.has("layers/" + sha256_of(tar_).hex() + "/a"));
  EXPECT_EQ(asked_, 2) << "once more";
  ASSERT_TRUE(take(sha256_of(tar_), UnpackedLayers::Trust::kVerify));
  EXPECT_EQ(asked_, 2) << "what is as it was is not unpacked again";
}

TEST_F(Unpacked, FoldersThatALayerDoesNotListAreRememberedAsSuch) {
  const std::string tar =
      TarBytes().add('0', "home/me/a", "x").add('5', "opt", "", 0755).add('0', "opt/b", "y").end();
  scratch_.write("blob", tar);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(take(sha256_of(tar))->implied, (std::set<std::string>{"home", "home/me"}));
}

class Implied : public testing::Test {
 protected:
  // A layer of empty folders with these modes; those of mode 0 are implied.
  void add(const std::vector<std::pair<std::string, mode_t>>& folders) {
    UnpackedLayer layer{scratch_.path("layer" + std::to_string(layers_.size())), {}, FileLock::of_nothing()};
    for (const auto& [path, mode] : folders) {
      std::filesystem::create_directories(layer.folder + "/" + path);
      EXPECT_EQ(chmod((layer.folder + "/" + path).c_str(), mode == 0 ? 0755 : mode), 0);
      if (mode == 0) layer.implied.insert(path);
    }
    layers_.insert(layers_.begin(), std::move(layer));
  }
  // "" when nothing was made; else the mode.
  std::string mended(const std::string& path) {
    const Result<bool> made = mend_implied(layers_, scratch_.path("mended"));
    struct stat found {};
    if (!made || !*made || lstat((scratch_.path("mended") + "/" + path).c_str(), &found) != 0) return "";
    char text[8];
    std::snprintf(text, sizeof text, "%o", found.st_mode & 07777U);
    return text;
  }

  ScratchFolder scratch_;
  std::vector<UnpackedLayer> layers_;  // the top one first
};

TEST_F(Implied, FoldersAreAsTheLayerBelowHasThem) {
  add({{"tmp", 01777}, {"home", 0755}, {"home/me", 0700}});
  add({{"tmp", 0}, {"home", 0}, {"home/me", 0}});
  EXPECT_EQ(mended("tmp"), "1777");
  EXPECT_EQ(mended("home/me"), "700");
}

TEST_F(Implied, SeveralThatImplyOneLookBelowAllOfThem) {
  add({{"srv", 0770}});
  add({{"srv", 0}});
  add({{"srv", 0}});
  EXPECT_EQ(mended("srv"), "770");
}

TEST_F(Implied, WhatALayerAboveListsStays) {
  add({{"srv", 0770}});
  add({{"srv", 0}});
  add({{"srv", 0711}});
  EXPECT_EQ(mended("srv"), "");
}

TEST_F(Implied, WhatNobodyListsStays) {
  add({{"bin", 0755}});
  add({{"new", 0}});
  EXPECT_EQ(mended("new"), "");
}

TEST_F(Implied, WhatIsInItMayBeHiddenAndNotWhatItIsLike) {
  add({{"srv", 0770}});
  add({{"srv", 0}});
  const std::string srv = layers_.front().folder + "/srv";
  if (setxattr(srv.c_str(), opaque_attribute(), "y", 1, 0) != 0) GTEST_SKIP() << "no such attributes here";
  EXPECT_EQ(mended("srv"), "770");
}

TEST_F(Unpacked, TwoAtOnceUnpackOnce) {
  scratch_.write("blob", TarBytes().add('0', "a", std::string(5'000'000, 'x')).end());
  const Sha256 diff_id = sha256_of(scratch_.read("blob"));
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { EXPECT_TRUE(take(diff_id)); });
  threads.clear();
  EXPECT_TRUE(scratch_.has("layers/" + diff_id.hex() + "/a"));
}

TEST_F(Unpacked, SweepsWhatNobodyUsesOrUsedLately) {
  scratch_.write("blob", tar_);
  {
    const Result<UnpackedLayer> held = take(sha256_of(tar_));
    ASSERT_TRUE(held);
    clock_.advance(std::chrono::hours(24 * 365 * 100));
    EXPECT_EQ(layers_.collect(std::chrono::hours(1))->count, 0U);
  }
  scratch_.write("layers/" + sha256_of("x").hex() + ".new/rubbish", "12345");
  const Result<Swept> swept = layers_.collect(std::chrono::hours(1));
  ASSERT_TRUE(swept) << swept.error().message;
  EXPECT_EQ(swept->count, 2U);
  EXPECT_EQ(swept->bytes, 10U);
  EXPECT_FALSE(scratch_.has("layers/" + sha256_of(tar_).hex()));
}

TEST(SharedFolder, LiesInTheUsersCache) {
  const std::string own = unpacks_as_root() ? "layers" : "layers-user";
  EXPECT_EQ(UnpackedLayers::shared_folder({{{"HOME", "/h"}}}), "/h/.cache/trainmake/" + own);
  EXPECT_EQ(UnpackedLayers::shared_folder({{{"HOME", "/h"}, {"XDG_CACHE_HOME", "/c"}}}),
            "/c/trainmake/" + own);
  EXPECT_EQ(UnpackedLayers::shared_folder({{{"HOME", "/h"}, {"XDG_CACHE_HOME", "relative"}}}),
            "/h/.cache/trainmake/" + own);
  EXPECT_EQ(UnpackedLayers::shared_folder({}), "");
}

}  // namespace
}  // namespace trainmake
