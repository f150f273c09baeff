#include "rules/image/registries/layout/layout.h"

#include "engine/base/text.h"
#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

Result<BlobRef> put(Registry& registry, const std::string& bytes) {
  return registry.put("text/plain", [&](const ByteSink& out) { return out(bytes); });
}

TEST(Layout, KeepsBlobsByTheirDigest) {
  RuleWorld world;
  const BlobRef blob = *put(*world.registry, "hello");
  EXPECT_EQ(blob.digest, sha256_of("hello"));
  EXPECT_EQ(blob.size, 5U);
  EXPECT_EQ(*world.registry->size_of(blob.digest, nullptr), 5U);
  EXPECT_FALSE(world.registry->size_of(sha256_of("other"), nullptr)->has_value());
  EXPECT_EQ(world.files.content("/w/.trainmake/images/blobs/sha256/" + blob.digest.hex()), "hello");
}

TEST(Layout, ABlobThatWasNotWrittenToItsEndIsNotThere) {
  RuleWorld world;
  EXPECT_FALSE(world.registry->put("text/plain", [](const ByteSink& out) -> Result<void> {
    TRY(out("half"));
    return fail(step_error("Cut"));
  }));
  for (const std::string& path : world.files.all_files())
    EXPECT_EQ(path.find("images/blobs"), std::string::npos) << path;
}

TEST(Layout, ANamePointsAtOneManifestAndOthersStay) {
  RuleWorld world;
  const BlobRef one = *put(*world.registry, "one");
  const BlobRef two = *put(*world.registry, "two");
  ASSERT_TRUE(world.registry->name(one, {"a:latest", "a:v1"}));
  ASSERT_TRUE(world.registry->name(two, {"a:latest"}));
  EXPECT_EQ((*world.registry->find("a:latest", nullptr))->digest, two.digest);
  EXPECT_EQ((*world.registry->find("a:v1", nullptr))->digest, one.digest);
  EXPECT_FALSE(*world.registry->find("a:v2", nullptr));
}

TEST(Layout, NamesOfAnotherAreAdded) {
  RuleWorld world;
  const std::string ours = "/w/.trainmake/images";
  const auto theirs = make_layout(world.host, {"/", "/theirs", ""});
  ASSERT_TRUE(world.registry->name(*put(*world.registry, "one"), {"a:latest"}));
  const auto other = put(*theirs, "two");
  ASSERT_TRUE(theirs->name(*other, {"a:latest", "b:latest"}));
  ASSERT_TRUE(add_names(world.host, "/theirs/images", ours));
  EXPECT_EQ((*world.registry->find("b:latest", nullptr))->digest, other->digest);
  EXPECT_NE((*world.registry->find("a:latest", nullptr))->digest, other->digest) << "what was there stays";
  const std::string before = *read_file(world.files, path_join(ours, "index.json"));
  ASSERT_TRUE(add_names(world.host, "/nowhere", ours));
  ASSERT_TRUE(add_names(world.host, "/theirs/images", ours));
  EXPECT_EQ(*read_file(world.files, path_join(ours, "index.json")), before);
}

TEST(Layout, AnIndexIsReadOnceUntilItChanges) {
  RuleWorld world;
  const BlobRef one = *put(*world.registry, "one");
  ASSERT_TRUE(world.registry->name(one, {"a:latest", "b:latest"}));
  world.clock.advance(std::chrono::nanoseconds(world.files.now_ns - world.clock.now_ns()) +
                      std::chrono::hours(1));
  world.files.take_log();
  for (const char* name : {"a:latest", "b:latest", "a:latest"})
    EXPECT_TRUE((*world.registry->find(name, nullptr)).has_value());
  const auto log = world.files.take_log();
  EXPECT_EQ(std::count(log.begin(), log.end(), "open /w/.trainmake/images/index.json"), 1);
  ASSERT_TRUE(make_layout(world.host, world.workspace)->name(*put(*world.registry, "two"), {"a:latest"}));
  EXPECT_NE((*world.registry->find("a:latest", nullptr))->digest, one.digest)
      << "somebody else named it anew";
}

TEST(Layout, AnIndexThatNestsWithoutEndNamesNothing) {
  RuleWorld world;
  const std::string deep =
      cat(R"({"manifests":[{"annotations":)", std::string(200'000, '['), std::string(200'000, ']'), "}]}");
  world.files.put("/w/.trainmake/images/index.json", deep);
  EXPECT_FALSE(*world.registry->find("a:latest", nullptr));
  const BlobRef one = *put(*world.registry, "one");
  ASSERT_TRUE(world.registry->name(one, {"a:latest"}));
  EXPECT_TRUE((*world.registry->find("a:latest", nullptr)).has_value());
}

TEST(Layout, ADamagedIndexNamesNothing) {
  RuleWorld world;
  ASSERT_TRUE(world.registry->name(*put(*world.registry, "one"), {"a:latest"}));
  world.files.put("/w/.trainmake/images/index.json", "{");
  EXPECT_FALSE(*world.registry->find("a:latest", nullptr));
}

}  // namespace
}  // namespace trainmake
