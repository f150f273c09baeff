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
  EXPECT_TRUE(*world.registry->has(blob.digest));
  EXPECT_FALSE(*world.registry->has(sha256_of("other")));
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
  EXPECT_EQ((*world.registry->find("a:latest"))->digest, two.digest);
  EXPECT_EQ((*world.registry->find("a:v1"))->digest, one.digest);
  EXPECT_FALSE(*world.registry->find("a:v2"));
}

TEST(Layout, ADamagedIndexNamesNothing) {
  RuleWorld world;
  ASSERT_TRUE(world.registry->name(*put(*world.registry, "one"), {"a:latest"}));
  world.files.put("/w/.trainmake/images/index.json", "{");
  EXPECT_FALSE(*world.registry->find("a:latest"));
}

}  // namespace
}  // namespace trainmake
