#include "rules/image/image_rule.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

#include "cache/listing.h"
#include "engine/base/text.h"
#include "tests/rules/rule_world.h"
#include "tests/support/fake_registry.h"

namespace trainmake {
namespace {

struct ImageWorld : RuleWorld {
  TargetId snapshot = add("code", {{"srcs", glob("code/**")}, {"main", value(std::string("a.py"))}});
  TargetId made = add("image",
                      {{"base", value(std::string("scratch"))},
                       {"env", table({{"MODE", value(std::string("x"))}})},
                       {"workdir", value(std::string("/data"))}},
                      {{"code", snapshot}});

  Result<Done> make() {
    TRY(execute(snapshot));
    return execute(made);
  }
  Result<Done> make_image() { return execute(made); }
  std::string identity() { return find_role(results.at(made), "image")->identity; }
  std::string blob(const std::string& hex) {
    return files.content("/w/.trainmake/images/blobs/sha256/" + hex);
  }
};

TEST(Image, ItsDocumentsAreCanonical) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  EXPECT_EQ(
      world.blob(world.identity()),
      cat(R"({"architecture":"amd64","config":{"Env":["MODE=x"],"WorkingDir":"/data"},"os":"linux","rootfs":{"diff_ids":["sha256:)",
          find_role(world.results.at(world.made), "layer")->identity, R"("],"type":"layers"}})"));
}

TEST(Image, TheSameTreeIsTheSameImageWhateverItsTimesModesAndPlace) {
  ImageWorld one;
  ImageWorld two;
  two.files.put("/w/code/a.py", "print(1)\n", 0600);
  two.files.touch("/w/code/b.py");
  two.clock.advance(std::chrono::hours(5));
  ASSERT_TRUE(one.make());
  ASSERT_TRUE(two.make());
  EXPECT_EQ(one.results.at(one.made), two.results.at(two.made));
}

TEST(Image, OneChangedLineIsOneLayer) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  EXPECT_EQ(world.tally.pushed_layers, 1U);
  const std::string before = world.identity();
  world.files.put("/w/code/a.py", "print(3)\n");
  ASSERT_TRUE(world.make());
  EXPECT_EQ(world.tally.pushed_layers, 2U);
  EXPECT_NE(world.identity(), before);
}

TEST(Image, AChangedSettingIsNoLayer) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  world.made = world.add(
      "image",
      {{"base", RuleWorld::value(std::string("scratch"))}, {"user", RuleWorld::value(std::string("me"))}},
      {{"code", world.snapshot}});
  ASSERT_TRUE(world.make());
  EXPECT_EQ(world.tally.pushed_layers, 1U);
  EXPECT_EQ(world.tally.pushed_manifests, 2U);
}

TEST(Image, AnotherCompressionIsAnotherManifestOfTheSameImage) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  const Artifact before = *find_role(world.results.at(world.made), "image");
  world.made = world.add("image",
                         {{"base", RuleWorld::value(std::string("scratch"))},
                          {"compression", RuleWorld::value(std::string("zstd"))},
                          {"env", RuleWorld::table({{"MODE", RuleWorld::value(std::string("x"))}})},
                          {"workdir", RuleWorld::value(std::string("/data"))}},
                         {{"code", world.snapshot}});
  ASSERT_TRUE(world.make());
  const Artifact after = *find_role(world.results.at(world.made), "image");
  EXPECT_EQ(after.identity, before.identity) << "what a job depends on";
  EXPECT_NE(after.sha256, before.sha256);
  EXPECT_NE(world.blob(after.sha256).find("layer.v1.tar+zstd"), std::string::npos);
}

TEST(Image, TheCompressionIsTheRegistrysUnlessTheImageSaysOne) {
  const auto says = [](const char* registry, const char* image) {
    RuleWorld world;
    for (Service& service : world.space.services) {
      if (registry == nullptr) continue;
      service.attributes.fields.insert(service.attributes.fields.begin(),
                                       {"compression", RuleWorld::value(std::string(registry))});
    }
    std::map<std::string, Value> attributes = {{"base", RuleWorld::value(std::string("scratch"))},
                                               {"registry", RuleWorld::value(std::string("one"))}};
    if (image != nullptr) attributes["compression"] = RuleWorld::value(std::string(image));
    return world.describe(world.add("image", attributes))->manifest.fingerprint();
  };
  EXPECT_EQ(says("zstd", nullptr), says(nullptr, "zstd"));
  EXPECT_EQ(says("zstd", "gzip"), says(nullptr, nullptr));
  EXPECT_NE(says("zstd", nullptr), says(nullptr, nullptr));
}

TEST(Image, ACompressionThatNobodyHasIsToldFirst) {
  const std::vector<Error> errors = check(image_schema(),
                                          {{},
                                           {{"base", RuleWorld::value(std::string("scratch"))},
                                            {"compression", RuleWorld::value(std::string("lzma"))}}},
                                          {"TRAINFILE.lua", 7}, "image:i");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message, "There is no compression `lzma`");
}

TEST(Image, HoldsWhileItsBlobsAndNamesAreThere) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  EXPECT_TRUE(world.holds(world.made));
  world.files.take_away("/w/.trainmake/images/index.json");
  EXPECT_FALSE(world.holds(world.made));
  EXPECT_TRUE(world.holds(world.made, false));
  ASSERT_TRUE(
      world.image.restore(world.subject(world.made), world.record_of(world.made), [](const Event&) {}, {}));
  EXPECT_TRUE(world.holds(world.made));
  world.files.take_away("/w/.trainmake/images/blobs/sha256/" + world.identity());
  EXPECT_FALSE(world.holds(world.made, false));
}

TEST(Image, WhatItHoldsByIsAmongTheLooksEachLookedAtOnce) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  world.files.take_log();
  Looks looks;
  ASSERT_TRUE(*world.image.holds(world.subject(world.made), world.record_of(world.made), true, looks));
  const std::vector<std::string> log = world.files.take_log();
  std::set<std::string> expected = {".trainmake/images/index.json", ".trainmake/images/oci-layout"};
  for (const char* role : {"image", "config", "layer"})
    expected.insert(".trainmake/images/blobs/sha256/" +
                    find_role(world.results.at(world.made), role)->sha256);
  std::set<std::string> seen;
  for (const Look& look : looks.files) {
    EXPECT_TRUE(seen.insert(look.path).second) << look.path;
    EXPECT_EQ(look.stat, *world.files.look("/w/" + look.path)) << look.path;
    EXPECT_EQ(std::count(log.begin(), log.end(), "look /w/" + look.path), 1) << look.path;
  }
  EXPECT_EQ(seen, expected);
}

TEST(Image, LooksTellOfABlobThatIsGoneAndOfAnotherIndex) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  Looks looks;
  ASSERT_TRUE(*world.image.holds(world.subject(world.made), world.record_of(world.made), true, looks));
  const auto differing = [&] {
    std::set<std::string> paths;
    for (const Look& look : looks.files) {
      if (look.stat != *world.files.look("/w/" + look.path)) paths.insert(look.path);
    }
    return paths;
  };
  EXPECT_EQ(differing(), std::set<std::string>());
  const std::string config = ".trainmake/images/blobs/sha256/" + world.identity();
  world.files.take_away("/w/" + config);
  world.files.put("/w/.trainmake/images/index.json", "{}");
  EXPECT_EQ(differing(), (std::set<std::string>{config, ".trainmake/images/index.json"}));
}

TEST(Image, OfACacheElsewhereItsLooksAreAbsolute) {
  ImageWorld world;
  world.workspace.cache = "/cache";
  ImageRule image({world.host, world.workspace, world.space, world.blobs, *world.file_sets, world.registries,
                   world.tally});
  ASSERT_TRUE(world.execute(world.snapshot));
  const Description description = *image.describe(world.subject(world.made));
  const Doing doing{description.manifest.fingerprint(), {}, {}, world.tally, {}};
  world.results[world.made] = image.execute(world.subject(world.made), description, doing)->artifacts;
  Looks looks;
  ASSERT_TRUE(*image.holds(world.subject(world.made), world.record_of(world.made), true, looks));
  for (const Look& look : looks.files) EXPECT_TRUE(look.path.starts_with("/cache/images/")) << look.path;
}

TEST(Image, TagsThatNobodyTakesAreToldFirst) {
  const auto told = [](const Value& tags) {
    const Value base = RuleWorld::value(std::string("scratch"));
    const Value files = RuleWorld::value(Table{
        {RuleWorld::table({{"srcs", RuleWorld::glob("**")}, {"dest", RuleWorld::value(std::string("rel"))}})},
        {}});
    return check(image_schema(), {{}, {{"base", base}, {"files", files}, {"tags", tags}}},
                 {"TRAINFILE.lua", 7}, "image:i");
  };
  const std::vector<Error> errors = told(RuleWorld::list({"v 1", "fine", ".hidden", ""}));
  ASSERT_EQ(errors.size(), 4U);
  EXPECT_NE(errors[0].message.find("`rel`"), std::string::npos);
  EXPECT_NE(errors[1].message.find("`v 1`"), std::string::npos);
  EXPECT_EQ(told(RuleWorld::value(std::string("v 1"))).size(), 2U);
}

TEST(Image, AnyFolderMayHaveOne) {
  ImageWorld world;
  world.graph.targets[world.made].label.folder = "My Models";
  EXPECT_TRUE(world.make());
}

TEST(Image, ADamagedSnapshotIsNotPutIntoALayer) {
  for (const char* damage : {"print(9)\n", "print(1)\nmore", ""}) {
    ImageWorld world;
    ASSERT_TRUE(world.execute(world.snapshot));
    const std::string path = world.blobs.path(sha256_of("print(1)\n"));
    world.files.put(path, damage);
    const Result<Done> made = world.make_image();
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message.find("`a.py`"), std::string::npos);
    EXPECT_FALSE(world.files.has(path));
    EXPECT_FALSE(world.holds(world.snapshot)) << "so that it is made anew";
    EXPECT_TRUE(world.make());
  }
}

TEST(Image, ALayerOfAnotherSizeIsMadeAnew) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  const std::string layer = find_role(world.results.at(world.made), "layer")->sha256;
  const std::string bytes = world.blob(layer);
  for (const std::string& damage : {std::string(), bytes.substr(0, bytes.size() / 2)}) {
    world.files.put("/w/.trainmake/images/blobs/sha256/" + layer, damage);
    EXPECT_FALSE(world.holds(world.made));
    ASSERT_TRUE(world.make_image());
    EXPECT_EQ(world.blob(layer), bytes);
  }
}

TEST(Image, AConfigOfAnotherSizeIsMadeAnew) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  const std::string config = world.identity(), bytes = world.blob(config);
  world.files.put("/w/.trainmake/images/blobs/sha256/" + config, bytes + "more");
  EXPECT_FALSE(world.holds(world.made));
  ASSERT_TRUE(world.make_image());
  EXPECT_EQ(world.blob(config), bytes);
}

TEST(Image, ALayoutThatIsNoneAnyMoreDoesNotHold) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  world.files.take_away("/w/.trainmake/images/oci-layout");
  EXPECT_FALSE(world.holds(world.made));
  ASSERT_TRUE(world.make_image());
  EXPECT_TRUE(world.files.has("/w/.trainmake/images/oci-layout"));
  EXPECT_TRUE(world.holds(world.made));
}

TEST(Image, AForcedOneIsBuiltFromItsCode) {
  ImageWorld world;
  ASSERT_TRUE(world.make());
  const std::string layer = find_role(world.results.at(world.made), "layer")->sha256;
  const std::string bytes = world.blob(layer);
  world.files.put("/w/.trainmake/images/blobs/sha256/" + layer, std::string(bytes.size(), 'x'));
  world.afresh = true;
  ASSERT_TRUE(world.make_image());
  EXPECT_EQ(world.blob(layer), bytes);
  EXPECT_EQ(world.tally.pushed_layers, 1U) << "it was known";
}

TEST(Image, AFileThatChangesAfterItWasDescribedIsNotRecorded) {
  RuleWorld world;
  const Value layer = RuleWorld::table(
      {{"srcs", RuleWorld::glob("data/**")}, {"dest", RuleWorld::value(std::string("/data"))}});
  const TargetId id = world.add("image", {{"base", RuleWorld::value(std::string("scratch"))},
                                          {"files", RuleWorld::value(Table{{layer}, {}})}});
  const Description description = *world.describe(id);
  world.files.put("/w/data/x.txt", "other\n");
  EXPECT_FALSE(world.execute(id, description));
}

TEST(Image, FilesOfALayerThatIsKnownAreNotRead) {
  RuleWorld world;
  const Value layer = RuleWorld::table(
      {{"srcs", RuleWorld::glob("data/**")}, {"dest", RuleWorld::value(std::string("/data"))}});
  const auto tagged = [&](const char* tag) {
    return world.add("image", {{"base", RuleWorld::value(std::string("scratch"))},
                               {"files", RuleWorld::value(Table{{layer}, {}})},
                               {"tags", RuleWorld::list({tag})}});
  };
  const auto read_for = [&](TargetId id) {
    world.files.take_log();
    EXPECT_TRUE(world.execute(id));
    const std::vector<std::string> log = world.files.take_log();
    return std::count_if(log.begin(), log.end(),
                         [](const std::string& line) { return line.starts_with("open /w/data/"); });
  };
  EXPECT_EQ(read_for(tagged("one")), 4) << "each to be described, and into the layer";
  const TargetId two = tagged("two");
  EXPECT_EQ(read_for(two), 0);
  EXPECT_EQ(world.tally.pushed_layers, 1U);
  EXPECT_EQ(find_role(world.results.at(two), "layer")->identity,
            find_role(world.results.at(0), "layer")->identity);
  world.afresh = true;
  EXPECT_EQ(read_for(two), 2);
}

// An image of a large file that goes to a registry.
struct LargeWorld : RuleWorld {
  FakeRegistry fake{"https://registry.example.com"};
  TargetId made =
      add("image",
          {{"base", value(std::string("scratch"))},
           {"files",
            value(Table{{table({{"srcs", glob("data/**")}, {"dest", value(std::string("/data"))}})}, {}})},
           {"registry", value(std::string("one"))}});

  LargeWorld() {
    std::mt19937_64 dice(1);
    std::string noise(20'000'000, '\0');
    for (std::size_t at = 0; at < noise.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t word = dice();
      std::memcpy(noise.data() + at, &word, sizeof word);
    }
    files.put("/w/data/x.txt", noise);
    http.answer = [this](const HttpRequest& request) { return fake.answer(request); };
  }
  ~LargeWorld() { EXPECT_TRUE(fake.wrong.empty()) << fake.wrong.front(); }

  std::string repository() const { return cat("one/", graph[made].label.name); }
  bool has_layer() {
    const Artifact& layer = *find_role(results.at(made), "layer");
    return fake.blobs[repository()].contains(cat("sha256:", layer.sha256));
  }
  std::size_t count(std::string_view method) const {
    const std::vector<HttpRequest> requests = http.requests();
    return static_cast<std::size_t>(std::count_if(
        requests.begin(), requests.end(), [&](const HttpRequest& each) { return each.method == method; }));
  }
};

TEST(Image, ALargeLayerIsSentWhileItIsMadeAndKept) {
  LargeWorld world;
  ASSERT_TRUE(world.execute(world.made));
  EXPECT_TRUE(world.has_layer());
  EXPECT_EQ(world.count("PATCH"), 2U);
  EXPECT_EQ(world.tally.pushed_layers, 1U);
  EXPECT_TRUE(world.files.has(
      cat("/w/.trainmake/images/blobs/sha256/", find_role(world.results.at(world.made), "layer")->sha256)));
}

TEST(Image, ALargeLayerThatDoesNotArriveThatWayIsSentWhenItIsMade) {
  LargeWorld world;
  world.fake.fault = [left = 1](const HttpRequest& request) mutable -> std::optional<FakeRegistry::Fault> {
    if (request.method != "PATCH" || left == 0) return std::nullopt;
    --left;
    return FakeRegistry::Fault{403};
  };
  ASSERT_TRUE(world.execute(world.made));
  EXPECT_TRUE(world.has_layer());
  EXPECT_EQ(world.tally.pushed_layers, 1U);
}

TEST(Image, ALargeLayerThatTheRegistryHasIsTakenBack) {
  LargeWorld world;
  ASSERT_TRUE(world.execute(world.made));
  EXPECT_TRUE(world.files.remove("/w/.trainmake"));
  world.fake.tags[world.repository()].clear();  // as somebody else's, of another tag
  ASSERT_TRUE(world.execute(world.made));
  EXPECT_EQ(world.count("DELETE"), 1U);
  EXPECT_EQ(world.tally.pushed_layers, 1U);
}

TEST(Image, ALargeLayerThatAnotherRepositoryHasIsMounted) {
  LargeWorld world;
  ASSERT_TRUE(world.execute(world.made));
  const TargetId other = world.add("image", {world.graph[world.made].attributes.fields.begin(),
                                             world.graph[world.made].attributes.fields.end()});
  world.http.forget();
  ASSERT_TRUE(world.execute(other));
  world.made = other;
  EXPECT_TRUE(world.has_layer());
  EXPECT_EQ(world.count("PATCH"), 0U);
  EXPECT_EQ(world.tally.pushed_layers, 1U);
}

TEST(Image, ALargeLayerOfAnImageThatIsThereIsNotSentBeforeItIsAskedFor) {
  LargeWorld world;
  ASSERT_TRUE(world.execute(world.made));
  EXPECT_TRUE(world.files.remove("/w/.trainmake"));
  world.http.forget();
  ASSERT_TRUE(world.execute(world.made)) << "as on another machine";
  EXPECT_EQ(world.count("POST") + world.count("PATCH"), 0U);
}

TEST(Image, APlanTellsOfTheBytesOfFiles) {
  LargeWorld world;
  const Result<Description> description = world.describe(world.made);
  ASSERT_TRUE(description);
  EXPECT_EQ(description->work.layer_bytes, 20'000'004U);
}

TEST(Image, ARegistryThatLostOurLastManifestGetsAllLayersAgain) {
  LargeWorld world;
  ASSERT_TRUE(world.execute(world.made));
  const std::string layer = cat("sha256:", find_role(world.results.at(world.made), "layer")->sha256);
  world.fake.blobs.clear();
  world.fake.manifests.clear();
  world.graph.targets[world.made].attributes.fields.emplace_back("user", RuleWorld::value(std::string("me")));
  ASSERT_TRUE(world.execute(world.made));
  EXPECT_TRUE(world.fake.blobs[world.repository()].contains(layer));
}

TEST(Image, ALayerThatOccursTwiceIsSentOnce) {
  LargeWorld world;
  world.files.put("/w/data/x.txt", "small\n");
  Value twice;
  twice.data = Table{{RuleWorld::table({{"srcs", RuleWorld::glob("data/**")},
                                        {"dest", RuleWorld::value(std::string("/data"))}}),
                      RuleWorld::table({{"srcs", RuleWorld::glob("data/**")},
                                        {"dest", RuleWorld::value(std::string("/data"))}})},
                     {}};
  const TargetId made = world.add("image", {{"base", RuleWorld::value(std::string("scratch"))},
                                            {"files", twice},
                                            {"registry", RuleWorld::value(std::string("one"))}});
  ASSERT_TRUE(world.execute(made));
  EXPECT_EQ(world.count("POST"), 2U) << "it and the config";
}

TEST(Image, WhatIsSmallAndNewIsSentWithoutAskingWhereWeHaveSentBefore) {
  LargeWorld world;
  const auto edited = [&](const std::string& text) {
    world.files.put("/w/data/x.txt", text);
    world.http.forget();
    return world.execute(world.made).has_value();
  };
  ASSERT_TRUE(edited("x"));
  EXPECT_EQ(world.count("HEAD"), 2U);
  ASSERT_TRUE(edited("y"));
  EXPECT_EQ(world.count("HEAD"), 1U) << "whether our last manifest is still there";
  EXPECT_TRUE(world.has_layer());
}

TEST(Image, OnlyOneThatSendsSomethingGetsReadyForIt) {
  LargeWorld world;
  const auto readied = [&](TargetId id) {
    world.http.readied = 0;
    const Result<Description> description = world.describe(id);
    if (!description) return -1;
    world.image.expect(world.subject(id), *description);
    return world.http.readied;
  };
  EXPECT_EQ(readied(world.made), 1);
  ASSERT_TRUE(world.execute(world.made));
  EXPECT_EQ(readied(world.made), 0) << "it is there";
  const TargetId local = world.add("image", {{"base", RuleWorld::value(std::string("scratch"))}});
  EXPECT_EQ(readied(local), 0);
}

TEST(Image, TheValueOfASecretIsRefusedInWhatIsKept) {
  RuleWorld world;
  world.environment.variables = {{"TOKEN", "hunter2222"}};
  const auto value = [](const std::string& text) { return RuleWorld::value(text); };
  const TargetId made =
      world.add("image", {{"base", value("scratch")},
                          {"secrets", RuleWorld::list({"TOKEN"})},
                          {"env", RuleWorld::table({{"URL", value("https://me:hunter2222@pip")}})}});
  const Result<Description> refused = world.describe(made);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("hunter2222"), std::string::npos);
  EXPECT_NE(refused.error().message.find("The value of secret `TOKEN` stands in `env`"), std::string::npos);
}

TEST(Image, AStopEndsALayerInItsMiddleAndLeavesNoneOfIt) {
  ImageWorld world;
  const std::string large(4'000'000, 'x');
  world.files.put("/w/code/b.py", large);
  ASSERT_TRUE(world.execute(world.snapshot));
  const Description description = *world.describe(world.made);
  const std::vector<std::string> before = world.files.all_files();
  world.files.on_open = [&](const std::string& path) {
    if (path == world.blobs.path(sha256_of(large))) world.stop.request_stop();
  };
  const auto done = world.execute(world.made, description);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().blame, Blame::kInterrupted);
  EXPECT_EQ(world.files.all_files(), before);
}

}  // namespace
}  // namespace trainmake
