#include "cache/listing.h"
#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

Listing listing_of(RuleWorld& world, TargetId id) {
  const Artifact* tree = find_role(world.results.at(id), "tree");
  return *decode_listing(**world.blobs.read(*Sha256::parse(tree->sha256)));
}

std::vector<std::string> keys(const Listing& listing) {
  std::vector<std::string> keys;
  for (const ListedFile& file : listing) keys.push_back(file.key);
  return keys;
}

TEST(Code, KeysStartWhereThePatternsBegin) {
  RuleWorld world;
  world.files.put("/w/code/lib/c.py", "");
  const TargetId id = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(keys(listing_of(world, id)), (std::vector<std::string>{"a.py", "b.py", "lib/c.py"}));
}

TEST(Code, RootAndDestMoveKeys) {
  RuleWorld world;
  const TargetId id = world.add("code", {{"srcs", RuleWorld::glob("code/*.py")},
                                         {"root", RuleWorld::value(std::string(""))},
                                         {"dest", RuleWorld::value(std::string("app"))}});
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(keys(listing_of(world, id)), (std::vector<std::string>{"app/code/a.py", "app/code/b.py"}));
}

TEST(Code, ADestIsOneFolderHoweverItIsWrittenAndStaysInside) {
  RuleWorld world;
  const auto with = [&](const char* dest) {
    return world.add("code",
                     {{"srcs", RuleWorld::glob("code/*.py")}, {"dest", RuleWorld::value(std::string(dest))}});
  };
  for (const char* dest : {"app", "app/", "./app", "x/../app"}) {
    const TargetId id = with(dest);
    ASSERT_TRUE(world.execute(id)) << dest;
    EXPECT_EQ(keys(listing_of(world, id)), (std::vector<std::string>{"app/a.py", "app/b.py"})) << dest;
  }
  for (const char* dest : {"/app", "..", "a/../../b"}) {
    const auto described = world.describe(with(dest));
    ASSERT_FALSE(described) << dest;
    EXPECT_EQ(described.error().blame, Blame::kUser);
  }
}

TEST(Code, ModesAndLinksCountAndTimesDoNot) {
  RuleWorld world;
  const TargetId id = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
  const auto now = [&] { return world.describe(id)->manifest.fingerprint(); };
  const Fingerprint first = now();
  world.files.touch("/w/code/a.py");
  EXPECT_EQ(now(), first);
  world.files.put("/w/code/a.py", "print(1)\n", 0755);
  const Fingerprint executable = now();
  EXPECT_NE(executable, first);
  world.files.put_link("/w/code/link", "a.py");
  const Fingerprint linked = now();
  EXPECT_NE(linked, executable);
  world.files.take_away("/w/code/link");
  world.files.put_link("/w/code/link", "b.py");
  EXPECT_NE(now(), linked);
}

TEST(Code, APatternThatMatchesNothingIsAnError) {
  RuleWorld world;
  const Result<Description> description =
      world.describe(world.add("code", {{"srcs", RuleWorld::glob("nothing/**")}}));
  ASSERT_FALSE(description);
  EXPECT_NE(description.error().message.find("`nothing/**`"), std::string::npos);
}

TEST(Code, AFolderGivenAsAFileIsToldAsThat) {
  RuleWorld world;
  const Result<Description> description =
      world.describe(world.add("code", {{"srcs", RuleWorld::list({"code"})}}));
  ASSERT_FALSE(description);
  EXPECT_NE(description.error().hint.find("glob \"code/**\""), std::string::npos);
}

TEST(Code, AFileThatChangesAfterItWasDescribedIsNotRecorded) {
  RuleWorld world;
  const TargetId id = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
  const Description description = *world.describe(id);
  world.files.put("/w/code/a.py", "print(3)\n");
  const Result<Done> done = world.execute(id, description);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().blame, Blame::kStep);
}

TEST(Code, AStopEndsASnapshotInTheMiddleOfAFile) {
  RuleWorld world;
  const TargetId id = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
  const Description description = *world.describe(id);
  const std::vector<std::string> before = world.files.all_files();
  world.files.on_open = [&](const std::string&) { world.stop.request_stop(); };
  const auto done = world.execute(id, description);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().blame, Blame::kInterrupted);
  EXPECT_EQ(world.files.all_files(), before);
}

TEST(Code, AFileThatChangesWhileItIsReadIsReadAgain) {
  RuleWorld world;
  const TargetId id = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
  int changes = 1;
  world.files.on_open = [&](const std::string& path) {
    if (path.ends_with("a.py") && changes-- > 0) world.files.put("/w/code/a.py", "longer than before\n");
  };
  const Fingerprint seen = world.describe(id)->manifest.fingerprint();
  world.files.on_open = {};
  EXPECT_EQ(seen, world.describe(id)->manifest.fingerprint());
}

TEST(Code, PrivateKeysAndEnvFilesAreRefusedByName) {
  for (const char* name : {"id_rsa", ".env", ".env.local", "deploy.pem"}) {
    RuleWorld world;
    world.files.put(std::string("/w/code/") + name, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    const TargetId id = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
    const Result<Description> description = world.describe(id);
    ASSERT_FALSE(description) << name;
    EXPECT_NE(description.error().message.find(name), std::string::npos);
    EXPECT_EQ(description.error().blame, Blame::kUser);
    EXPECT_TRUE(world.describe(
        world.add("code", {{"srcs", RuleWorld::glob("code/**")}, {"allow", RuleWorld::list({name})}})))
        << name;
  }
}

TEST(Code, APrivateKeyOfAnyNameIsRefusedBeforeAnythingRuns) {
  RuleWorld world;
  world.files.put("/w/code/notes.txt", "-----BEGIN RSA PRIVATE KEY-----\nx\n");
  const TargetId id = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
  for (const char* when : {"when it is read", "when it is known"}) {
    const Result<Description> description = world.describe(id);
    ASSERT_FALSE(description) << when;
    EXPECT_EQ(description.error().blame, Blame::kUser);
    EXPECT_NE(description.error().message.find("notes.txt"), std::string::npos);
  }
  world.files.put("/w/code/notes.txt", "gone\n");
  EXPECT_TRUE(world.describe(id));
}

TEST(Code, ADamagedSnapshotDoesNotHold) {
  RuleWorld world;
  const TargetId id = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
  ASSERT_TRUE(world.execute(id));
  EXPECT_TRUE(world.holds(id));
  world.files.take_away(world.blobs.path(listing_of(world, id)[0].sha256));
  EXPECT_FALSE(world.holds(id));
}

}  // namespace
}  // namespace trainmake
