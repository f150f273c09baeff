#include "rules/data/external.h"

#include "tests/rules/rule_world.h"
#include "tests/support/fake_bucket.h"

namespace trainmake {
namespace {

struct ExternalWorld : RuleWorld {
  FakeBucket bucket{"http://s3.test:9000", "theirs", {"KEY", "SECRET", ""}, "us-east-1"};
  TargetId set = add("data", {{"url", value(std::string("s3://theirs/set"))}});

  ExternalWorld() {
    environment.variables = {{"AWS_ACCESS_KEY_ID", "KEY"}, {"AWS_SECRET_ACCESS_KEY", "SECRET"}};
    space.services.push_back({"store",
                              "hub",
                              {{},
                               {{"create", value(true)},
                                {"endpoint", value(std::string("http://s3.test:9000"))},
                                {"path_style", value(true)},
                                {"url", value(std::string("s3://theirs"))}}},
                              {}});
    http.answer = [this](const HttpRequest& request) { return bucket.answer(request); };
    bucket.objects = {{"set/a", "one"}, {"set/b/c", "two"}, {"other", "x"}};
  }
  std::vector<std::pair<Error, Label>> settle() {
    return data.settle(graph, [](const Event&) {});
  }
  std::uint64_t asked() const {
    std::uint64_t sum = 0;
    for (const auto& count : tally.requests) sum += count;
    return sum;
  }
};

TEST(External, WhatJobsNeedComesHereOnce) {
  ExternalWorld world;
  EXPECT_TRUE(world.settle().empty());
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_EQ(world.asked(), 3U);
  EXPECT_TRUE(world.holds(world.set));
  world.bucket.objects["set/a"] = "changed";
  EXPECT_TRUE(world.settle().empty());
  EXPECT_FALSE(world.holds(world.set));
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_EQ(world.asked(), 5U);
}

TEST(External, ABlobThatIsGoneComesAgain) {
  ExternalWorld world;
  EXPECT_TRUE(world.settle().empty());
  ASSERT_TRUE(world.execute(world.set));
  ASSERT_TRUE(world.blobs.remove(sha256_of("one")));
  EXPECT_FALSE(world.holds(world.set));
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_TRUE(world.holds(world.set));
}

TEST(External, WhatIsNoPathIsNoFile) {
  for (const char* key : {"set/a//b", "set//a", "set/../b", "set/./b"}) {
    ExternalWorld world;
    world.bucket.objects[key] = "x";
    const auto errors = world.settle();
    ASSERT_EQ(errors.size(), 1U) << key;
    EXPECT_EQ(errors.front().first.blame, Blame::kRemote);
  }
}

TEST(External, FoldersKeysAndWhatATrainmakeKeepsAreNoFiles) {
  ExternalWorld world;
  world.bucket.objects["set/b/"] = "";
  world.bucket.objects["set/.trainmake/d/.mirror.json"] = "{}";
  EXPECT_TRUE(world.settle().empty());
  ASSERT_TRUE(world.execute(world.set));
  EXPECT_EQ(world.asked(), 3U);
}

TEST(External, ADamagedListIsAskedForAgain) {
  ExternalWorld world;
  EXPECT_TRUE(world.settle().empty());
  for (const std::string& path : world.files.all_files()) {
    if (path.find("/listed/") == std::string::npos) continue;
    std::string bytes = world.files.content("/" + path);
    bytes[bytes.size() / 2] ^= 1;
    world.files.put("/" + path, bytes);
  }
  const StoreServices services{world.host, world.workspace, world.space, world.rooms, world.tally};
  DataPlaces places(services);
  ExternalData again(services, places, world.blobs);
  EXPECT_EQ(again.known(world.graph[world.set]).value(), nullptr);
  EXPECT_EQ(again.look_again(world.graph[world.set]).value()->size(), 2U);
}

TEST(External, ItsListHasOneDigest) {
  const ExternalList list = {{"a", 1, "t", {}}, {"b", 2, "u", {}}};
  const std::string digest = digest_of_list(list);
  for (const ExternalList& other :
       {ExternalList{{"a", 1, "t", {}}}, ExternalList{{"a", 1, "t", {}}, {"b", 2, "v", {}}},
        ExternalList{{"a", 1, "t", {}}, {"b", 3, "u", {}}},
        ExternalList{{"a", 1, "t", {}}, {"c", 2, "u", {}}}})
    EXPECT_NE(digest_of_list(other), digest);
  EXPECT_EQ(digest_of_list({{"a", 1, "t", sha256_of("here")}, {"b", 2, "u", {}}}), digest);
}

TEST(External, ABucketThatIsMissingIsNotMade) {
  ExternalWorld world;
  world.bucket.exists = false;
  const auto errors = world.settle();
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_NE(errors.front().first.message.find("NoSuchBucket"), std::string::npos);
  EXPECT_FALSE(world.bucket.exists);
}

}  // namespace
}  // namespace trainmake
