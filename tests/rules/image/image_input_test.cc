// What an image depends on, and what of it is refused before anything is made.
#include <algorithm>

#include "engine/base/text.h"
#include "rules/image/base_lock.h"
#include "rules/image/image_rule.h"
#include "rules/image/image_schema.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"
#include "tests/rules/rule_world.h"
#include "tests/support/fake_registry.h"

namespace trainmake {
namespace {

using Attributes = std::map<std::string, Value>;

Value text(const std::string& word) { return RuleWorld::value(word); }
Value layers(const std::vector<std::pair<std::string, std::string>>& globs_and_dests) {
  Table list;
  for (const auto& [pattern, dest] : globs_and_dests)
    list.items.push_back(RuleWorld::table({{"srcs", RuleWorld::glob(pattern)}, {"dest", text(dest)}}));
  return RuleWorld::value(list);
}

struct InputWorld : RuleWorld {
  FakeRegistry fake{"https://registry.example.com"};

  InputWorld() {
    http.answer = [this](const HttpRequest& request) { return fake.answer(request); };
  }
  ~InputWorld() { EXPECT_TRUE(fake.wrong.empty()) << fake.wrong.front(); }

  // Of an image on "scratch", unless they say otherwise.
  TargetId image_of(Attributes attributes) {
    if (!attributes.contains("base") && !attributes.contains("dockerfile"))
      attributes["base"] = text("scratch");
    return add("image", attributes);
  }
  Fingerprint fingerprint(const Attributes& attributes) {
    return describe(image_of(attributes))->manifest.fingerprint();
  }
  std::string refusal(const Attributes& attributes) {
    const Result<Description> description = describe(image_of(attributes));
    return description ? "" : description.error().message;
  }
  std::size_t count(std::string_view part) const {
    const std::vector<HttpRequest> requests = http.requests();
    return static_cast<std::size_t>(
        std::count_if(requests.begin(), requests.end(),
                      [&](const HttpRequest& each) { return each.url.find(part) != std::string::npos; }));
  }
};

std::vector<std::string> told(const Attributes& attributes) {
  std::vector<std::string> messages;
  Fields fields(attributes.begin(), attributes.end());
  if (!attributes.contains("base")) fields.emplace_back("base", text("scratch"));
  for (const Error& error : check(image_schema(), {{}, fields}, {"TRAINFILE.lua", 7}, "image:i"))
    messages.push_back(error.message);
  return messages;
}

TEST(ImageInput, TheOrderOfVariantsIsPartOfIt) {
  InputWorld world;
  const Value base = RuleWorld::table({{"a", text("scratch")}, {"b", text("scratch")}});
  EXPECT_NE(world.fingerprint({{"base", base}, {"variants", RuleWorld::list({"a", "b"})}}).hex(),
            world.fingerprint({{"base", base}, {"variants", RuleWorld::list({"b", "a"})}}).hex());
}

TEST(ImageInput, TheOrderOfCodeIsPartOfIt) {
  InputWorld world;
  const TargetId one = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
  const TargetId two = world.add("code", {{"srcs", RuleWorld::glob("data/**")}});
  ASSERT_TRUE(world.execute(one));
  ASSERT_TRUE(world.execute(two));
  const auto fingerprint = [&](TargetId first, TargetId second) {
    const TargetId image =
        world.add("image", {{"base", text("scratch")}}, {{"code", first}, {"code", second}});
    return world.describe(image)->manifest.fingerprint().hex();
  };
  EXPECT_NE(fingerprint(one, two), fingerprint(two, one));
}

TEST(ImageInput, WhereItsRegistryIsReachedIsPartOfIt) {
  const auto fingerprint = [](const char* endpoint) {
    InputWorld world;
    if (endpoint != nullptr) {
      for (Service& service : world.space.services)
        service.attributes.fields.insert(service.attributes.fields.begin(), {"endpoint", text(endpoint)});
    }
    return world.fingerprint({{"registry", text("one")}}).hex();
  };
  EXPECT_EQ(fingerprint(nullptr), fingerprint(nullptr));
  EXPECT_NE(fingerprint("http://127.0.0.1:1"), fingerprint(nullptr));
  EXPECT_NE(fingerprint("http://127.0.0.1:1"), fingerprint("http://127.0.0.1:2"));
}

TEST(ImageInput, ANameThatIsGivenTwiceIsToldFirst) {
  EXPECT_EQ(told({{"tags", RuleWorld::list({"x", "y", "x"})}}),
            std::vector<std::string>{"Tag `x` is named twice"});
  EXPECT_EQ(told({{"architecture", RuleWorld::list({"amd64", "amd64"})}}),
            std::vector<std::string>{"Architecture `amd64` is named twice"});
  EXPECT_EQ(told({{"variants", RuleWorld::list({"a", "a"})}}),
            std::vector<std::string>{"Variant `a` is named twice"});
}

TEST(ImageInput, ADestThatLeavesTheImageOrDeletesFromItIsToldFirst) {
  const auto told_of = [](const std::string& dest) { return told({{"files", layers({{"w/**", dest}})}}); };
  EXPECT_EQ(told_of("w"), std::vector<std::string>{"`dest` `w` of a layer is not absolute"});
  EXPECT_EQ(told_of("/a/../../etc"),
            std::vector<std::string>{"`dest` `/a/../../etc` of a layer leads out of the image"});
  EXPECT_EQ(told_of("/a/.wh.etc"),
            std::vector<std::string>{"`dest` `/a/.wh.etc` of a layer has a name by which a layer deletes"});
  EXPECT_EQ(told_of("/a/../b"), std::vector<std::string>());
}

TEST(ImageInput, ADestHasOneSpelling) {
  for (const char* dest : {"/bin", "//bin", "/./bin/", "/usr/../bin"})
    EXPECT_EQ(clean_dest(dest), "/bin") << dest;
  EXPECT_EQ(clean_dest("/"), "/");
}

TEST(ImageInput, ATagThatAVariantHasIsRefused) {
  InputWorld world;
  EXPECT_EQ(world.refusal({{"base", RuleWorld::table({{"cpu", text("scratch")}, {"gpu", text("scratch")}})},
                           {"tags", RuleWorld::list({"x", "x-cpu"})}}),
            "Tag `x-cpu` is also what variant `cpu` is called under `x`");
}

TEST(ImageInput, FilesThatMeetAndDifferAreRefused) {
  InputWorld world;
  world.files.put("/w/m/a", "1");
  world.files.put("/w/n/a", "2");
  world.files.put("/w/o/a/b", "3");
  world.files.put("/w/p/a", "1");
  EXPECT_EQ(world.refusal({{"files", layers({{"m/**", "/x"}, {"n/**", "/x"}})}}),
            "`files[1]` and `files[2]` both bring `/x/a`, and they differ");
  EXPECT_EQ(world.refusal({{"files", layers({{"m/**", "/x"}, {"o/**", "/x"}})}}),
            "`files[1]` and `files[2]` both bring `/x/a`, and they differ")
      << "a file where the other has a folder";
  EXPECT_EQ(world.refusal({{"files", layers({{"o/**", "/x"}, {"n/**", "/x"}})}}),
            "`files[1]` and `files[2]` both bring `/x/a`, and they differ");
  EXPECT_EQ(world.refusal({{"files", layers({{"m/**", "/x"}, {"n/**", "/x/a"}})}}),
            "`files[1]` and `files[2]` both bring `/x/a`, and they differ");
  EXPECT_EQ(world.refusal({{"files", layers({{"m/**", "/x"}, {"p/**", "/x"}, {"n/**", "/y"}})}}), "");
}

TEST(ImageInput, KeysAmongInputsAreRefusedUnlessTheyAreAllowed) {
  InputWorld world;
  world.files.put("/w/Dockerfile", "FROM scratch\nCOPY . /\n");
  world.files.put("/w/in/.env", "TOKEN=1\n");
  const Attributes image = {{"dockerfile", text("Dockerfile")}, {"inputs", RuleWorld::glob("in/**")}};
  EXPECT_NE(world.refusal(image).find("in/.env"), std::string::npos) << world.refusal(image);
  Attributes allowing = image;
  allowing["allow"] = RuleWorld::list({"in/.env"});
  EXPECT_EQ(world.refusal(allowing), "");
}

TEST(ImageInput, WhatIsForStepsAloneIsRefusedWithoutThem) {
  InputWorld world;
  EXPECT_EQ(world.refusal({{"network", RuleWorld::value(true)}}),
            "`network` is for `run` steps, and there are none");
  EXPECT_EQ(world.refusal({{"secrets", RuleWorld::list({"TOKEN"})}}),
            "`secrets` is for `run` steps, and there are none");
  EXPECT_EQ(world.refusal({{"network", RuleWorld::value(true)}, {"run", RuleWorld::list({})}}), "");
}

TEST(ImageInput, AnInputOfADockerfileIsNamedOnceAmongTheReasons) {
  InputWorld world;
  world.files.put("/w/Dockerfile", "FROM scratch\n");
  const Result<Description> description = world.describe(
      world.image_of({{"dockerfile", text("Dockerfile")}, {"inputs", RuleWorld::glob("data/x.txt")}}));
  ASSERT_TRUE(description);
  const std::vector<ManifestLine>& lines = description->manifest.lines();
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const ManifestLine& line) { return line.name == "data/x.txt"; }),
            1);
  EXPECT_EQ(description->work.layers, 1U) << "what it builds is not known yet";
}

// Two results of one target, of which the first is taken again.
struct EarlierWorld : InputWorld {
  Attributes attributes = {{"registry", text("one")}, {"files", layers({{"data/**", "/data"}})}};
  Record first;
  TargetId made = 0;

  void make_twice() {
    made = image_of(attributes);
    ASSERT_TRUE(execute(made));
    first = record_of(made);
    files.put("/w/data/x.txt", "edited\n");
    ASSERT_TRUE(execute(made));
    files.put("/w/data/x.txt", "xxx\n");
  }
  Result<void> restore() {
    return image.restore(subject(made), first, [](const Event&) {}, {});
  }
  bool has(const char* role) {
    const std::string repository = cat("one/", graph[made].label.name);
    return fake.blobs[repository].contains(cat("sha256:", find_role(first.artifacts, role)->sha256));
  }
};

TEST(ImageInput, AnEarlierResultThatTheRegistryLostIsSentAgain) {
  EarlierWorld world;
  world.make_twice();
  world.fake.blobs.clear();
  world.fake.manifests.clear();
  world.fake.tags.clear();
  const Result<void> restored = world.restore();
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_TRUE(world.has("layer"));
  EXPECT_TRUE(world.has("config"));
}

TEST(ImageInput, ALayerThatTheRegistryRemovedWithItsManifestIsSentAgain) {
  EarlierWorld world;
  world.make_twice();
  const std::string repository = cat("one/", world.graph[world.made].label.name);
  const std::string layer = cat("sha256:", find_role(world.first.artifacts, "layer")->sha256);
  world.fake.blobs[repository].erase(layer);
  world.graph.targets[world.made].attributes.fields.emplace_back("user", text("me"));
  ASSERT_TRUE(world.execute(world.made));
  EXPECT_TRUE(world.fake.blobs[repository].contains(layer));
}

TEST(ImageInput, AnEarlierResultThatIsThereIsOnlyTagged) {
  EarlierWorld world;
  world.make_twice();
  world.http.forget();
  ASSERT_TRUE(world.restore());
  EXPECT_EQ(world.count("/blobs/"), 0U);
  EXPECT_EQ(world.count("/manifests/latest"), 1U);
}

TEST(ImageInput, AnEarlierIndexIsReadFromTheRegistryWhenItIsNotHere) {
  EarlierWorld world;
  world.attributes["architecture"] = RuleWorld::list({"amd64", "arm64"});
  world.make_twice();
  ASSERT_TRUE(world.files.remove("/w/.trainmake/images/blobs"));
  const Result<void> restored = world.restore();
  EXPECT_TRUE(restored) << restored.error().message;
}

TEST(ImageInput, ABaseIsPinnedOnlyWhenItCanBeBuiltOn) {
  const auto pins = [](const std::string& os) {
    InputWorld world;
    const std::string config =
        cat(R"({"architecture":"amd64","os":")", os, R"(","rootfs":{"type":"layers","diff_ids":[]}})");
    const std::string manifest = render_manifest({kConfigType, sha256_of(config), config.size()}, {});
    world.fake.blobs["b"][digest_text(sha256_of(config))] = config;
    world.fake.manifests["b"][digest_text(sha256_of(manifest))] = manifest;
    world.fake.tags["b"]["1"] = digest_text(sha256_of(manifest));
    world.image_of({{"base", text("registry.example.com/b:1")}});
    const auto errors = world.image.before_run(world.graph, [](const Event&) {});
    EXPECT_EQ(errors.empty(), os == "linux");
    return world.files.has("/w/TRAINFILE.lock");
  };
  EXPECT_TRUE(pins("linux"));
  EXPECT_FALSE(pins("windows"));
}

TEST(ImageInput, WhyARegistryIsWaitedForIsTold) {
  InputWorld world;
  world.fake.fault = [left = 3](const HttpRequest&) mutable -> std::optional<FakeRegistry::Fault> {
    if (left == 0) return std::nullopt;
    --left;
    return FakeRegistry::Fault{503};
  };
  std::vector<std::string> messages;
  world.image_of({{"base", text("registry.example.com/b:1")}});
  (void)world.image.before_run(world.graph, [&](const Event& event) {
    if (const auto* message = std::get_if<Message>(&event)) messages.push_back(message->text);
  });
  EXPECT_EQ(messages, (std::vector<std::string>{"Asking what `registry.example.com/b:1` stands for",
                                                "`registry.example.com` answers 503: asking again"}));
}

}  // namespace
}  // namespace trainmake
