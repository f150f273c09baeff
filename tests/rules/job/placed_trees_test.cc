// Trees below a shared folder: what a later trainmake finds there, whatever jobs, people and file systems did
// to it meanwhile.
#include "rules/job/platforms/slurm/placed_trees.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "engine/base/file_marks.h"
#include "rules/job/platforms/slurm/seal.h"
#include "tests/rules/job/slurm_world.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;

// One trainmake after the other over the same shared folder.
struct Trees : SlurmWorld {
  std::vector<std::string> told;

  SharedFiles files() { return {host, workspace, blobs, options.shared_dir}; }
  Patience tell(std::stop_token stop = {}) {
    return {std::move(stop), [this](std::string text) { told.push_back(std::move(text)); }};
  }
  std::string data(const Listing& listing) {
    auto shared = files();
    return placed(shared.place_data({tree(listing)}, SharedFiles::Seen::kWhereItLies, tell()));
  }
  std::string code(const Listing& listing) {
    auto shared = files();
    return placed(shared.place_code(listing, tell()));
  }
  static std::string placed(const Result<std::string>& folder) {
    EXPECT_TRUE(folder) << (folder ? "" : folder.error().message);
    return folder.value_or("");
  }
  static std::string text(const std::string& path) {
    return read_file(real_file_system(), path).value_or("cannot be read");
  }
  // As a job does that is root, or takes its own right to.
  static void poison(const std::string& path, std::string_view bytes) {
    (void)open_to_writing(path);
    std::ofstream(path, std::ios::trunc) << bytes;
  }
  static std::string content_of(const std::string& link) { return std::filesystem::canonical(link).string(); }
};

struct TwoFiles : Trees {
  Listing listing = {in_place("a.txt", "A\n"), in_place("deep/b.txt", "B\n")};
  std::string folder_of = data(listing);
  std::string a = folder_of + "/a.txt", b = folder_of + "/deep/b.txt";

  void expect_right() {
    EXPECT_EQ(data(listing), folder_of);
    EXPECT_EQ(text(a), "A\n");
    EXPECT_EQ(text(b), "B\n");
    EXPECT_EQ(real_file_system().list(folder_of)->size(), 2U);
  }
};

TEST(Seal, IsASecondOfTheDayBeforeThatItsContentPicks) {
  for (const std::int64_t now_s : {0, 1, 86'399, 86'400, 1'795'000'000}) {
    for (const std::string_view content : {"", "a", "b", "xyz"}) {
      const std::int64_t seal = seal_of(content, now_s * kSecond_ns + 5);
      EXPECT_LE(seal, now_s * kSecond_ns);
      EXPECT_GT(seal, (now_s - 86'400) * kSecond_ns);
      if (seal < 0) continue;
      EXPECT_TRUE(is_seal_of(content, seal));
      EXPECT_FALSE(is_seal_of(content, seal + 1));
      EXPECT_FALSE(is_seal_of(content, seal + kSecond_ns));
    }
  }
  EXPECT_FALSE(is_seal_of("b", seal_of("a", 1'795'000'000 * kSecond_ns)));
}

TEST(PlacedTrees, NobodyMayWriteThereWithoutTakingTheRight) {
  TwoFiles world;
  for (const std::string& path : {world.folder_of, world.folder_of + "/deep", Trees::content_of(world.a)}) {
    EXPECT_EQ(real_file_system().look(path)->mode & 0222U, 0U) << path;
  }
  EXPECT_TRUE(real_file_system().remove(world.folder_of));
}

TEST(PlacedTrees, WhatIsRightIsLeftAsItIs) {
  TwoFiles world;
  const Stat before = *real_file_system().look(Trees::content_of(world.a));
  world.expect_right();
  EXPECT_EQ(*real_file_system().look(Trees::content_of(world.a)), before);
  EXPECT_TRUE(world.told.empty());
}

TEST(PlacedTrees, AnEditedFileIsPlacedAgain) {
  TwoFiles world;
  Trees::poison(Trees::content_of(world.a), "X\n");
  world.expect_right();
  EXPECT_EQ(world.told,
            (std::vector<std::string>{
                cat("`", world.folder_of, "` was no longer what was placed there: 1 file placed again")}));
}

TEST(PlacedTrees, AnEditedFileIsPlacedAgainForATreeThatIsNew) {
  TwoFiles world;
  Trees::poison(Trees::content_of(world.a), "X\n");
  Listing more = world.listing;
  more.push_back(world.in_place("z.txt", "Z\n"));
  EXPECT_EQ(Trees::text(world.data(more) + "/a.txt"), "A\n");
}

TEST(PlacedTrees, WhatWasPurgedIsPlacedAgain) {
  TwoFiles world;
  ASSERT_TRUE(real_file_system().remove(Trees::content_of(world.a)));
  ASSERT_TRUE(real_file_system().remove(world.folder_of + "/deep"));
  world.expect_right();
  ASSERT_TRUE(real_file_system().remove(world.options.shared_dir + "/content"));
  world.expect_right();
  EXPECT_EQ(world.told.size(), 2U);
}

TEST(PlacedTrees, WhatWasAddedOrPutInAPlaceGoes) {
  TwoFiles world;
  ASSERT_TRUE(open_to_writing(world.folder_of));
  world.folder.write("index", "");
  std::filesystem::copy(world.folder.path("index"), world.folder_of + "/labels.cache");
  std::filesystem::remove(world.a);
  std::filesystem::create_symlink(world.folder.path("index"), world.a);
  std::filesystem::remove_all(world.folder_of + "/deep");
  std::filesystem::create_directory_symlink(world.folder.path(), world.folder_of + "/deep");
  world.expect_right();
  EXPECT_TRUE(world.folder.has("index")) << "nothing is removed through a link";
  EXPECT_EQ(real_file_system().look(world.folder_of)->mode & 0222U, 0U);
}

TEST(PlacedTrees, AFileThatWasOnlyTouchedIsRightThoughNobodyHasItHere) {
  TwoFiles world;
  std::filesystem::last_write_time(Trees::content_of(world.a), std::filesystem::file_time_type::clock::now());
  ASSERT_TRUE(real_file_system().remove(world.folder.path("a.txt")));
  world.expect_right();
  EXPECT_TRUE(world.told.empty());
  const Stat sealed = *real_file_system().look(Trees::content_of(world.a));
  EXPECT_TRUE(is_seal_of(content_name(world.listing[0]), sealed.mtime_ns));
}

TEST(PlacedTrees, WhatIsNotHereCannotBeMendedAndNothingStarts) {
  TwoFiles world;
  Trees::poison(Trees::content_of(world.a), "X\n");
  ASSERT_TRUE(real_file_system().remove(world.folder.path("a.txt")));
  auto shared = world.files();
  const auto placed =
      shared.place_data({Trees::tree(world.listing)}, SharedFiles::Seen::kWhereItLies, world.tell());
  ASSERT_FALSE(placed);
  EXPECT_NE(placed.error().message.find("a.txt"), std::string::npos);
  EXPECT_NE(placed.error().message.find("no longer what was placed there"), std::string::npos);
}

TEST(PlacedTrees, WhatAJobLeftIsPlacedAgainFromTheCacheOrIsAnError) {
  Trees world;
  const Listing left = {world.stored("model.bin", "good\n")};
  const std::string model = world.data(left) + "/model.bin";
  Trees::poison(Trees::content_of(model), "evil\n");
  EXPECT_EQ(world.data(left) + "/model.bin", model);
  EXPECT_EQ(Trees::text(model), "good\n");
  Trees::poison(Trees::content_of(model), "evil\n");
  ASSERT_TRUE(real_file_system().remove(world.folder.path("cache/blobs")));
  auto shared = world.files();
  const auto placed = shared.place_data({Trees::tree(left)}, SharedFiles::Seen::kWhereItLies, world.tell());
  ASSERT_FALSE(placed);
  EXPECT_NE(placed.error().message.find("`model.bin` of `//data:d` is no longer in the cache"),
            std::string::npos);
}

TEST(PlacedTrees, WhatIsInterruptedIsPlacedByTheNextThatAsks) {
  Trees world;
  const Listing listing = {world.in_place("a.txt", "A\n"), world.stored("b.txt", "B\n")};
  std::stop_source stop;
  stop.request_stop();
  {
    auto shared = world.files();
    for (int again = 0; again < 2; ++again) {
      const auto placed = shared.place_data({Trees::tree(listing)}, SharedFiles::Seen::kWhereItLies,
                                            world.tell(stop.get_token()));
      ASSERT_FALSE(placed);
      EXPECT_EQ(placed.error().blame, Blame::kInterrupted);
    }
    EXPECT_FALSE(std::filesystem::exists(world.options.shared_dir + "/content"));
  }
  const std::string folder = world.data(listing);
  EXPECT_EQ(Trees::text(folder + "/a.txt"), "A\n");
  EXPECT_EQ(Trees::text(folder + "/b.txt"), "B\n");
}

TEST(PlacedTrees, OneThatIsInterruptedWhileItIsReadIsNotTakenForDamaged) {
  TwoFiles world;
  const std::string content = Trees::content_of(world.a);
  ASSERT_TRUE(set_mtime(content, 1'000'000'000));
  const Stat before = *real_file_system().look(content);
  std::stop_source stop;
  stop.request_stop();
  auto shared = world.files();
  const auto placed = shared.place_data({Trees::tree(world.listing)}, SharedFiles::Seen::kWhereItLies,
                                        world.tell(stop.get_token()));
  ASSERT_FALSE(placed);
  EXPECT_EQ(placed.error().blame, Blame::kInterrupted);
  EXPECT_EQ(*real_file_system().look(content), before);
  EXPECT_EQ(world.told, std::vector<std::string>());
  world.expect_right();
}

TEST(PlacedTrees, CodeIsMendedWithItsModesAndLinks) {
  Trees world;
  ListedFile link;
  link.key = "run";
  link.link_target = "bin/tool";
  const Listing listing = {world.stored("bin/tool", "tool\n", 0755), world.stored("conf/lr", "1\n"), link};
  const std::string folder = world.code(listing);
  ASSERT_EQ(::chmod((folder + "/bin/tool").c_str(), 0644), 0);
  Trees::poison(folder + "/conf/lr", "2\n");
  ASSERT_TRUE(open_to_writing(folder));
  std::filesystem::remove(folder + "/run");
  EXPECT_EQ(world.code(listing), folder);
  EXPECT_EQ(Trees::text(folder + "/conf/lr"), "1\n");
  EXPECT_EQ(real_file_system().look(folder + "/bin/tool")->mode & 0111U, 0111U);
  EXPECT_EQ(*real_file_system().read_link(folder + "/run"), "bin/tool");
  ASSERT_EQ(world.told.size(), 1U);
  EXPECT_NE(world.told.front().find("3 files placed again"), std::string::npos) << world.told.front();
}

TEST(PlacedTrees, OneTrainmakeLooksAtATreeOnce) {
  TwoFiles world;
  auto shared = world.files();
  const auto place = [&] {
    return Trees::placed(shared.place_data({Trees::tree(world.listing)}, SharedFiles::Seen::kWhereItLies));
  };
  place();
  Trees::poison(Trees::content_of(world.a), "X\n");
  place();
  EXPECT_EQ(Trees::text(world.a), "X\n");
  ASSERT_TRUE(real_file_system().remove(world.folder_of));
  place();
  EXPECT_EQ(Trees::text(world.a), "A\n") << "one that is gone is placed anew";
}

TEST(PlacedTrees, SeveralMayMendOneAtOnce) {
  TwoFiles world;
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(real_file_system().remove(world.options.shared_dir + "/content"));
    ASSERT_TRUE(real_file_system().remove(world.folder_of + "/deep"));
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        auto shared = world.files();
        Trees::placed(shared.place_data({Trees::tree(world.listing)}, SharedFiles::Seen::kWhereItLies));
      });
    }
    threads.clear();
    EXPECT_EQ(Trees::text(world.a), "A\n");
    EXPECT_EQ(Trees::text(world.b), "B\n");
  }
}

TEST(PlacedTrees, EmptyFoldersOfDataAreThere) {
  Trees world;
  ListedFile empty;
  empty.key = "none/";
  const std::string folder = world.data({world.in_place("a.txt", "A\n"), empty});
  EXPECT_TRUE(std::filesystem::is_directory(folder + "/none"));
  ASSERT_TRUE(real_file_system().remove(folder + "/none"));
  world.data({world.in_place("a.txt", "A\n"), empty});
  EXPECT_TRUE(std::filesystem::is_directory(folder + "/none"));
}

}  // namespace
}  // namespace trainmake
