#include "rules/data/mirror.h"
#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

struct DataWorld : RuleWorld {
  TargetId mirrored = add("data", {{"files", glob("data/**")}, {"store", value(std::string("one"))}});
  std::vector<std::string> objects() {
    std::vector<std::string> found;
    for (const std::string& path : files.all_files()) {
      if (path.starts_with("w/bucket-one/") && path.find(".trainmake") == std::string::npos)
        found.push_back(path.substr(13));
    }
    return found;
  }
};

using Names = std::vector<std::string>;

TEST(Data, WithoutAStoreNothingIsCopied) {
  RuleWorld world;
  const TargetId id = world.add("data", {{"files", RuleWorld::glob("data/**")}});
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(world.tally.uploaded_objects, 0U);
  EXPECT_TRUE(world.holds(id));
}

TEST(Data, EveryFileIsAnObjectUnderItsKey) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects(), (Names{"data0/x.txt", "data0/y.txt"}));
  EXPECT_EQ(world.tally.uploaded_objects, 2U);
}

TEST(Data, OnlyWhatChangedTravels) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/data/x.txt", "changed\n");
  EXPECT_EQ(world.describe(world.mirrored)->work.objects, 1U);
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.tally.uploaded_objects, 3U);
  EXPECT_EQ(world.files.content("/w/bucket-one/data0/x.txt"), "changed\n");
}

TEST(Data, WhatIsGoneIsRemovedAndOthersObjectsAreNot) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/bucket-one/data0/theirs.txt", "not ours");
  world.files.take_away("/w/data/y.txt");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects(), (Names{"data0/theirs.txt", "data0/x.txt"}));
  EXPECT_EQ(world.tally.deleted_objects, 1U);
}

TEST(Data, WithoutPruneEverythingStays) {
  DataWorld world;
  const TargetId id = world.add("data", {{"files", RuleWorld::glob("data/**")},
                                         {"store", RuleWorld::value(std::string("one"))},
                                         {"prune", RuleWorld::value(false)}});
  ASSERT_TRUE(world.execute(id));
  world.files.take_away("/w/data/y.txt");
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(world.objects(), (Names{"data1/x.txt", "data1/y.txt"}));
}

TEST(Data, AnEmptiedStoreIsNoticed) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_TRUE(world.holds(world.mirrored));
  ASSERT_TRUE(world.files.remove("/w/bucket-one"));
  EXPECT_FALSE(world.holds(world.mirrored));
}

TEST(Data, ARemovalThatWasCutIsFinishedNextTime) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.take_away("/w/data/y.txt");
  world.files.refuse("remove /w/bucket-one/data0/y.txt", 5);
  EXPECT_FALSE(world.execute(world.mirrored));
  world.files.refuse("remove /w/bucket-one/data0/y.txt", 0);
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects(), Names{"data0/x.txt"});
}

TEST(Data, AFileThatChangesAsItIsSentIsNeverAnObject) {
  DataWorld world;
  const Description description = *world.describe(world.mirrored);
  world.files.put("/w/data/x.txt", "other\n");
  EXPECT_FALSE(world.execute(world.mirrored, description));
  EXPECT_TRUE(world.objects().empty());
}

TEST(Data, AnotherPrefixIsAnotherPlace) {
  RuleWorld world;
  const auto at = [&](const char* prefix) {
    return std::map<std::string, Value>{{"files", RuleWorld::glob("data/**")},
                                        {"prefix", RuleWorld::value(std::string(prefix))},
                                        {"store", RuleWorld::value(std::string("one"))}};
  };
  const TargetId id = world.add("data", at("old"));
  ASSERT_TRUE(world.execute(id));
  world.graph.targets[id].attributes = *RuleWorld::table(at("new")).table();
  EXPECT_FALSE(world.holds(id));
  ASSERT_TRUE(world.execute(id));
  EXPECT_TRUE(world.files.has("/w/bucket-one/new/x.txt"));
}

TEST(Data, TwoTargetsOfOnePlaceAreAnError) {
  RuleWorld world;
  const std::map<std::string, Value> attributes = {{"files", RuleWorld::glob("data/**")},
                                                   {"prefix", RuleWorld::value(std::string("same"))},
                                                   {"store", RuleWorld::value(std::string("one"))}};
  ASSERT_TRUE(world.execute(world.add("data", attributes)));
  const Result<Description> description = world.describe(world.add("data", attributes));
  ASSERT_FALSE(description);
  EXPECT_EQ(description.error().blame, Blame::kUser);
  RuleWorld later;  // of another run, which knows only what the store says
  later.files.put("/w/bucket-one/.trainmake/same.json",
                  world.files.content("/w/bucket-one/.trainmake/same.json"));
  later.add("code", {});
  EXPECT_FALSE(later.describe(later.add("data", attributes)));
}

TEST(Data, AnUnknownStoreIsToldWithANearOne) {
  RuleWorld world;
  const Result<Description> description = world.describe(world.add(
      "data", {{"files", RuleWorld::glob("data/**")}, {"store", RuleWorld::value(std::string("onee"))}}));
  ASSERT_FALSE(description);
  EXPECT_NE(description.error().hint.find("`one`"), std::string::npos);
}

Listing listing(const std::vector<std::pair<std::string, std::string>>& files) {
  Listing made;
  for (const auto& [key, content] : files)
    made.push_back({key, key, "", content.size(), 0644, digest_of(content), {}});
  return made;
}

TEST(Mirror, ReadsBackAsItWasWritten) {
  Mirror mirror = mirror_of(listing({{std::string("a\xff\n", 3), "1"}, {"b ü", "2"}}), "//data:d");
  mirror.removing = {"old"};
  const std::optional<Mirror> back = mirror_from_json(to_json(mirror));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->root, mirror.root);
  EXPECT_EQ(back->removing, mirror.removing);
  ASSERT_EQ(back->objects.size(), 2U);
  EXPECT_EQ(back->objects[0].key, mirror.objects[0].key);
  EXPECT_EQ(back->objects[1].content, mirror.objects[1].content);
}

TEST(Mirror, DamagedTextIsNone) {
  for (const char* text : {"", "{}", "[]", "{\"format\":2}", R"({"format":1,"root":"x","objects":[{}]})",
                           R"({"format":1,"root":"x","objects":[{"key":1,"size":2,"xxh3":"z"}]})"}) {
    EXPECT_FALSE(mirror_from_json(text)) << text;
  }
}

TEST(Mirror, KeysThatNoTargetCanHaveAreDamage) {
  const std::string object = R"({"key":"%","size":2,"xxh3":"00000000000000000000000000000000"})";
  const auto mirror = [&](const std::string& objects, const std::string& removing) {
    return mirror_from_json(cat(R"({"format":1,"target":"t","root":"x","objects":[)", objects,
                                R"(],"removing":[)", removing, "]}"));
  };
  const auto with = [&](const std::string& key) {
    return std::string(object).replace(object.find('%'), 1, key);
  };
  ASSERT_TRUE(mirror(cat(with("a"), ",", with("b/c")), R"("b/d")"));
  EXPECT_FALSE(mirror(cat(with("b"), ",", with("a")), "")) << "not in order";
  for (const std::string key : {"", "/etc/passwd", "../up", "a/../../b", "a//b", ".trainmake/other.json"}) {
    EXPECT_FALSE(mirror(with(key), "")) << key;
    EXPECT_FALSE(mirror("", cat("\"", key, "\""))) << key;
  }
}

TEST(Mirror, SaysWhatToSendAndWhatToRemove) {
  const Listing now = listing({{"a", "1"}, {"b", "2"}, {"d", "4"}});
  const Mirror there = mirror_of(listing({{"a", "1"}, {"b", "old"}, {"c", "3"}}), "//data:d");
  const MirrorChange changed = change(now, there, true);
  ASSERT_EQ(changed.send.size(), 2U);
  EXPECT_EQ(changed.send[0]->key, "b");
  EXPECT_EQ(changed.send[1]->key, "d");
  EXPECT_EQ(changed.remove, Names{"c"});
  EXPECT_TRUE(change(now, there, false).remove.empty());
}

}  // namespace
}  // namespace trainmake
