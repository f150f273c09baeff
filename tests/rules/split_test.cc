// Large files in parts: their names, what travels when one changes, and that none is anything but a piece of
// its file.
#include "rules/data/split.h"

#include <gtest/gtest.h>

#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

struct SplitWorld : RuleWorld {
  SplitWorld() { files.put("/w/data/big.bin", "0123456789"); }

  TargetId target(const char* part, const char* its_store = "one") {
    std::map<std::string, Value> attributes = {{"files", glob("data/**")},
                                               {"prefix", value(std::string("set"))},
                                               {"split", value(std::string(part))}};
    if (its_store != nullptr) attributes.emplace("store", value(std::string(its_store)));
    return add("data", attributes);
  }
  std::map<std::string, std::string> objects() {
    const std::string_view top = "w/bucket-one/set/";
    std::map<std::string, std::string> found;
    for (const std::string& path : files.all_files()) {
      if (path.starts_with(top)) found[path.substr(top.size())] = files.content("/" + path);
    }
    return found;
  }
  Listing listing(TargetId id) { return *std::any_cast<const SharedListing&>(describe(id)->carry); }
};

using Objects = std::map<std::string, std::string>;

TEST(Split, ALargeFileIsPartsOfTheNamesThatSplitToolGave) {
  SplitWorld world;
  ASSERT_TRUE(world.execute(world.target("4B")));
  EXPECT_EQ(world.objects(), (Objects{{"big.bin-part0001", "0123"},
                                      {"big.bin-part0002", "4567"},
                                      {"big.bin-part0003", "89"},
                                      {"x.txt", "xxx\n"},
                                      {"y.txt", "yyy\n"}}));
  EXPECT_EQ(world.tally.uploaded_objects, 5U);
}

TEST(Split, OnlyThePartThatChangedTravels) {
  SplitWorld world;
  const TargetId id = world.target("4B");
  ASSERT_TRUE(world.execute(id));
  world.files.put("/w/data/big.bin", "0123x56789");
  EXPECT_EQ(world.describe(id)->work.objects, 1U);
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(world.tally.uploaded_objects, 6U);
  EXPECT_EQ(world.objects()["big.bin-part0002"], "x567");
  world.files.put("/w/data/big.bin", "0123x567");
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(world.objects().count("big.bin-part0003"), 0U) << "a file that shrank leaves no part behind";
}

TEST(Split, AnotherSizeOfPartsIsAnotherResult) {
  SplitWorld world;
  const TargetId id = world.target("4B");
  const auto split_by = [&](const char* part) {
    for (auto& [name, said] : world.graph.targets[id].attributes.fields) {
      if (name == "split") said = RuleWorld::value(std::string(part));
    }
  };
  ASSERT_TRUE(world.execute(id));
  const Fingerprint before = world.describe(id)->manifest.fingerprint();
  split_by("5B");
  EXPECT_NE(world.describe(id)->manifest.fingerprint(), before);
  split_by("1KiB");
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(world.objects(), (Objects{{"big.bin", "0123456789"}, {"x.txt", "xxx\n"}, {"y.txt", "yyy\n"}}));
}

TEST(Split, WithoutAStorePartsAreBlobsForJobsHere) {
  SplitWorld world;
  const TargetId id = world.target("4B", nullptr);
  ASSERT_TRUE(world.execute(id));
  const Listing listing = world.listing(id);
  ASSERT_EQ(listing.front().key, "big.bin-part0001");
  EXPECT_EQ(*world.blobs.read(listing.front().sha256), "0123");
  EXPECT_TRUE(world.holds(id));
  ASSERT_TRUE(world.blobs.remove(listing.front().sha256));
  EXPECT_FALSE(world.holds(id));
  ASSERT_TRUE(world.execute(id));
  EXPECT_TRUE(world.holds(id));
}

TEST(Split, WhatChangesBeforeItIsCutIsNotTaken) {
  SplitWorld world;
  const TargetId id = world.target("4B");
  const auto description = world.describe(id);
  world.files.put("/w/data/big.bin", "0123x56789");
  const auto done = world.execute(id, *description);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("`data/big.bin` changed"), std::string::npos) << done.error().message;
  EXPECT_EQ(world.objects().count("big.bin-part0002"), 0U);
}

TEST(Split, WhichPartsAContentHasIsKept) {
  SplitWorld world;
  const TargetId id = world.target("4B");
  ASSERT_TRUE(world.execute(id));
  DataRule another{
      {world.host, world.workspace, world.space, world.rooms, world.blobs, *world.file_sets, world.tally}};
  world.files.take_log();
  ASSERT_TRUE(another.describe(world.subject(id)));
  for (const std::string& line : world.files.take_log())
    EXPECT_FALSE(line.starts_with("open") && line.ends_with("big.bin")) << line;
}

TEST(Split, WhoOnlyLooksWritesNothing) {
  SplitWorld world;
  const TargetId id = world.target("4B");
  world.files.take_log();
  ASSERT_TRUE(world.describe(id));
  for (const std::string& line : world.files.take_log())
    EXPECT_FALSE(line.starts_with("create") || line.starts_with("make_folder")) << line;
  ASSERT_TRUE(world.describe(id));
  for (const std::string& line : world.files.take_log())
    EXPECT_FALSE(line.starts_with("open") && line.ends_with("big.bin")) << "it is read once: " << line;
}

TEST(Split, WhatIsDamagedOfThatIsNotBelieved) {
  SplitWorld world;
  const TargetId id = world.target("4B");
  ASSERT_TRUE(world.execute(id));
  for (const std::string& path : world.files.all_files()) {
    if (path.find("/split/") == path.npos) continue;
    // Two lines changed places.
    std::string text = world.files.content("/" + path);
    const std::size_t line = text.find('\n') + 1;
    world.files.put("/" + path, text.substr(line, line) + text.substr(0, line) + text.substr(2 * line));
  }
  world.afresh = true;
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(world.objects()["big.bin-part0001"], "0123");
  EXPECT_EQ(world.objects()["big.bin-part0002"], "4567");
}

TEST(Split, APartThatHasTheNameOfAFileIsRefused) {
  SplitWorld world;
  world.files.put("/w/data/big.bin-part0002", "mine");
  const auto described = world.describe(world.target("4B"));
  ASSERT_FALSE(described);
  EXPECT_NE(described.error().message.find("`big.bin-part0002`"), std::string::npos);
  EXPECT_EQ(described.error().where.text(), "TRAINFILE.lua:1");
}

TEST(Split, APartThatHasTheNameOfAFolderIsRefused) {
  SplitWorld world;
  world.files.put("/w/data/big.bin-part0002/x", "mine");
  const auto described = world.describe(world.target("4B"));
  ASSERT_FALSE(described);
  EXPECT_NE(described.error().message.find("`big.bin-part0002/x`"), std::string::npos);
  EXPECT_EQ(described.error().where.text(), "TRAINFILE.lua:1");
}

TEST(Split, MorePartsThanHaveNamesAreRefused) {
  SplitWorld world;
  world.files.put("/w/data/big.bin", std::string(10'000, 'x'));
  const auto described = world.describe(world.target("1B"));
  ASSERT_FALSE(described);
  EXPECT_NE(described.error().message.find("more than 9999 parts"), std::string::npos);
  EXPECT_TRUE(world.describe(world.target("2B")));
}

TEST(Split, WhatIsNoSizeIsTold) {
  EXPECT_TRUE(wrong_split(RuleWorld::value(std::string("128MiB"))).empty());
  for (const char* text : {"", "0", "many", "1.5GB"})
    EXPECT_EQ(wrong_split(RuleWorld::value(std::string(text))).size(), 1U) << text;
}

}  // namespace
}  // namespace trainmake
