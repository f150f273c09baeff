#include "rules/image/registries/layout/layout.h"

#include "engine/base/text.h"
#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

struct LayoutWorld : RuleWorld {
  Result<void> name(const std::string& bytes, const std::vector<std::string>& tags,
                    const std::string& repository = "a") {
    return registry->put_manifest(repository, {"text/plain", bytes}, tags, {});
  }
  std::optional<Sha256> named(const std::string& tag, const std::string& repository = "a") {
    const auto found = registry->find({repository, tag}, nullptr, {});
    return found && *found ? std::optional((*found)->digest) : std::nullopt;
  }
};

TEST(Layout, KeepsBlobsByTheirDigest) {
  LayoutWorld world;
  const BlobRef blob = *world.store.make("text/plain", "hello");
  EXPECT_EQ(blob.digest, sha256_of("hello"));
  EXPECT_EQ(blob.size, 5U);
  EXPECT_EQ(*world.registry->size_of("a", blob.digest, nullptr, {}), 5U);
  EXPECT_FALSE(world.registry->size_of("a", sha256_of("other"), nullptr, {})->has_value());
  EXPECT_EQ(world.files.content("/w/.trainmake/images/blobs/sha256/" + blob.digest.hex()), "hello");
}

TEST(Layout, ABlobThatWasNotWrittenToItsEndIsNotThere) {
  LayoutWorld world;
  EXPECT_FALSE(world.store.make("text/plain", [](const ByteSink& out) -> Result<void> {
    TRY(out("half"));
    return fail(step_error("Cut"));
  }));
  for (const std::string& path : world.files.all_files())
    EXPECT_EQ(path.find("images/blobs"), std::string::npos) << path;
}

TEST(Layout, ANamePointsAtOneManifestAndOthersStay) {
  LayoutWorld world;
  ASSERT_TRUE(world.name("one", {"latest", "v1"}));
  ASSERT_TRUE(world.name("two", {"latest"}));
  EXPECT_EQ(world.named("latest"), sha256_of("two"));
  EXPECT_EQ(world.named("v1"), sha256_of("one"));
  EXPECT_FALSE(world.named("v2"));
}

TEST(Layout, NamesOfAnotherAreAdded) {
  LayoutWorld world;
  const std::string ours = "/w/.trainmake/images";
  const auto theirs = make_layout(world.host, {"/", "/theirs", ""});
  ASSERT_TRUE(world.name("one", {"latest"}));
  ASSERT_TRUE(theirs->put_manifest("a", {"text/plain", "two"}, {"latest"}, {}));
  ASSERT_TRUE(theirs->put_manifest("b", {"text/plain", "two"}, {"latest"}, {}));
  ASSERT_TRUE(add_names(world.host, "/theirs/images", ours));
  EXPECT_EQ(world.named("latest", "b"), sha256_of("two"));
  EXPECT_EQ(world.named("latest"), sha256_of("one")) << "what was there stays";
  const std::string before = *read_file(world.files, path_join(ours, "index.json"));
  ASSERT_TRUE(add_names(world.host, "/nowhere", ours));
  ASSERT_TRUE(add_names(world.host, "/theirs/images", ours));
  EXPECT_EQ(*read_file(world.files, path_join(ours, "index.json")), before);
}

TEST(Layout, AnIndexIsReadOnceUntilItChanges) {
  LayoutWorld world;
  ASSERT_TRUE(world.name("one", {"latest", "v1"}));
  world.clock.advance(std::chrono::nanoseconds(world.files.now_ns - world.clock.now_ns()) +
                      std::chrono::hours(1));
  world.files.take_log();
  for (const char* tag : {"latest", "v1", "latest"}) EXPECT_TRUE(world.named(tag));
  const auto log = world.files.take_log();
  EXPECT_EQ(std::count(log.begin(), log.end(), "open /w/.trainmake/images/index.json"), 1);
  ASSERT_TRUE(
      make_layout(world.host, world.workspace)->put_manifest("a", {"text/plain", "two"}, {"latest"}, {}));
  EXPECT_EQ(world.named("latest"), sha256_of("two")) << "somebody else named it anew";
}

TEST(Layout, AnIndexThatNestsWithoutEndNamesNothing) {
  LayoutWorld world;
  const std::string deep =
      cat(R"({"manifests":[{"annotations":)", std::string(200'000, '['), std::string(200'000, ']'), "}]}");
  world.files.put("/w/.trainmake/images/index.json", deep);
  EXPECT_FALSE(world.named("latest"));
  ASSERT_TRUE(world.name("one", {"latest"}));
  EXPECT_TRUE(world.named("latest"));
}

TEST(Layout, ADamagedIndexNamesNothing) {
  LayoutWorld world;
  ASSERT_TRUE(world.name("one", {"latest"}));
  world.files.put("/w/.trainmake/images/index.json", "{");
  EXPECT_FALSE(world.named("latest"));
}

}  // namespace
}  // namespace trainmake
