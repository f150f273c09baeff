#include "rules/image/validate.h"

#include <zstd.h>

#include "engine/base/text.h"
#include "rules/image/compress.h"
#include "rules/image/manifest_json.h"
#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

constexpr const char* kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* kOciIndex = "application/vnd.oci.image.index.v1+json";

// An image of one layer, whose documents a test may spoil before they are put there.
struct ImageWorld : RuleWorld {
  std::string tar = tar_of("code/a");
  std::string layer_type = "application/vnd.oci.image.layer.v1.tar";
  std::function<void(std::string&)> spoil_config = [](std::string&) {};
  std::function<void(std::string&)> spoil_manifest = [](std::string&) {};
  std::string manifest_type = kManifestType;
  std::vector<std::string> tags = {"latest"};
  std::size_t own_layers = 1;

  static std::string tar_of(const std::string& path) {
    std::string bytes;
    TarWriter writer([&](std::string_view piece) {
      bytes += piece;
      return Result<void>();
    });
    EXPECT_TRUE(writer.entry({TarEntry::Kind::kFile, path, 0644, 3, ""}));
    EXPECT_TRUE(writer.content("abc"));
    EXPECT_TRUE(writer.finish());
    return bytes;
  }

  BlobRef put_image() {
    const Layer layer{*store.make(layer_type, tar), sha256_of(tar)};
    return put_image(layer);
  }
  BlobRef put_image(const Layer& layer) {
    std::string config = render_config({}, {layer}, "");
    spoil_config(config);
    std::string manifest = render_manifest(*store.make(kConfigType, config), {layer});
    spoil_manifest(manifest);
    const Document document{manifest_type, manifest};
    EXPECT_TRUE(registry->put_manifest("i", document, {"latest"}, {}));
    return document.ref();
  }
  std::vector<std::string> told(const BlobRef& made, bool is_ours = true) {
    const Result<ImageFindings> found = validate({*registry, "i", made, tags, is_ours, own_layers}, {});
    EXPECT_TRUE(found);
    std::vector<std::string> sentences;
    for (const Error& error : found->wrong) sentences.push_back(error.message);
    return sentences;
  }
  void expect_told(const std::string& part, bool is_ours = true) {
    const std::vector<std::string> sentences = told(put_image(), is_ours);
    ASSERT_EQ(sentences.size(), 1U) << join(sentences, "; ");
    EXPECT_NE(sentences[0].find(part), std::string::npos) << sentences[0];
  }
};

void replace(std::string& text, const std::string& old, const std::string& now) {
  ASSERT_NE(text.find(old), std::string::npos) << text;
  text.replace(text.find(old), old.size(), now);
}

TEST(Validate, WhatWeMakeIsFine) {
  RuleWorld world;
  const TargetId code = world.add("code", {{"srcs", RuleWorld::glob("code/**")}});
  const TargetId id =
      world.add("image", {{"base", RuleWorld::value(std::string("scratch"))}}, {{"code", code}});
  ASSERT_TRUE(world.execute(code));
  ASSERT_TRUE(world.execute(id));
  const std::string name = world.graph[id].label.name;
  const auto image = world.registry->find({name, "latest"}, nullptr, {});
  ASSERT_TRUE(image && *image);
  const auto found = validate({*world.registry, name, **image, {"latest"}, true, 1}, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->wrong.size(), 0U);
  EXPECT_EQ(found->layers, 1U);
  EXPECT_EQ(found->bytes, find_role(world.results.at(id), "layer")->size);
}

TEST(Validate, CompressedLayersAreReadAsTheirTypeSays) {
  ImageWorld world;
  std::string room;
  const std::string gzip(compress(world.tar, Compression::kGzip, room));
  std::string zstd(ZSTD_compressBound(world.tar.size()), '\0');
  zstd.resize(ZSTD_compress(zstd.data(), zstd.size(), world.tar.data(), world.tar.size(), 1));
  const std::string type = world.layer_type;
  const auto told_of = [&](const std::string& ending, const std::string& bytes) {
    return world.told(world.put_image({*world.store.make(type + ending, bytes), sha256_of(world.tar)}));
  };
  EXPECT_EQ(told_of("+gzip", gzip).size(), 0U);
  EXPECT_EQ(told_of("+zstd", zstd).size(), 0U);
  EXPECT_EQ(told_of("+zstd", gzip).size(), 1U);
  EXPECT_EQ(told_of("+gzip", gzip.substr(0, gzip.size() - 1)).size(), 1U);
}

TEST(Validate, ALayerThatIsNotItsDiffIdIsTold) {
  ImageWorld world;
  world.spoil_config = [&](std::string& config) {
    replace(config, sha256_of(world.tar).hex(), sha256_of("other").hex());
  };
  world.expect_told("is not what its DiffID sha256:");
}

TEST(Validate, ADamagedOrMissingBlobIsTold) {
  for (const bool missing : {false, true}) {
    ImageWorld world;
    const BlobRef image = world.put_image();
    const std::string path = world.store.path(sha256_of(world.tar));
    if (missing)
      world.files.take_away(path);
    else
      world.files.put(path, "other");
    EXPECT_EQ(world.told(image).size(), 1U);
  }
}

TEST(Validate, ASizeThatIsNotTheBlobsIsTold) {
  ImageWorld world;
  world.spoil_manifest = [&](std::string& manifest) {
    replace(manifest, cat("\"size\":", world.tar.size()), "\"size\":7");
  };
  world.expect_told(cat("has ", world.tar.size(), " bytes, and 7 are said of it"));
}

TEST(Validate, CountsHaveToAgree) {
  ImageWorld world;
  world.spoil_config = [](std::string& config) {
    replace(config, "\"diff_ids\":[", cat("\"diff_ids\":[\"sha256:", std::string(64, '0'), "\","));
  };
  world.expect_told("has 1 layer, and its config 2");
}

TEST(Validate, DocumentsThatLackSomethingAreTold) {
  const auto expect_manifest = [](const std::string& old, const std::string& now, const std::string& part) {
    ImageWorld world;
    world.spoil_manifest = [&](std::string& manifest) { replace(manifest, old, now); };
    world.expect_told(part, false);
  };
  expect_manifest("\"schemaVersion\":2", "\"schemaVersion\":1", "is of an old kind");
  expect_manifest("\"config\":", "\"confi\":", "has no `config`");
  expect_manifest("\"layers\":", "\"layer\":", "has no `layers`");
  expect_manifest("{", "", "is no JSON object");
  expect_manifest("sha256:", "sha512:", "names its config without a digest or a size");
  expect_manifest("image.config", "image.setup", "has a config of the unknown media type");
  expect_manifest("layer.v1.tar", "layer.v1.zip", "is of the unknown media type");
  const auto expect_config = [](const std::string& old, const std::string& now, const std::string& part) {
    ImageWorld world;
    world.spoil_config = [&](std::string& config) { replace(config, old, now); };
    world.expect_told(part, false);
  };
  expect_config("\"os\":\"linux\"", "\"os\":7", "has no `os`");
  expect_config("\"architecture\"", "\"machine\"", "has no `architecture`");
  expect_config("\"layers\"", "\"lawyers\"", "has no `rootfs` of layers");
  expect_config("sha256:", "sha512:", "names layer 1 by no digest");
}

TEST(Validate, OnlyOursHasToBeCanonical) {
  ImageWorld world;
  world.spoil_config = [](std::string& config) {
    replace(config, "{\"architecture\"", "{ \"architecture\"");
  };
  EXPECT_EQ(world.told(world.put_image(), false).size(), 0U);
  world.expect_told("is no canonical JSON");
}

TEST(Validate, OnlyOursHasToSayWhatItIs) {
  ImageWorld world;
  world.spoil_manifest = [](std::string& manifest) {
    replace(manifest, cat("\"mediaType\":\"", kManifestType, "\","), "");
  };
  EXPECT_EQ(world.told(world.put_image(), false).size(), 0U);
  world.expect_told("says of itself ``");
}

TEST(Validate, WhatIsHandedOutAsSomethingElseIsTold) {
  ImageWorld world;
  world.manifest_type = kDockerManifest;
  world.expect_told("is handed out as `application/vnd.docker.distribution.manifest.v2+json`", false);
}

TEST(Validate, TheBasesLayersNeedNotBeAsOurs) {
  ImageWorld world;
  world.tar.resize(world.tar.size() + 512, '\0');
  world.expect_told("does not end with two empty blocks");
  world.own_layers = 0;
  EXPECT_EQ(world.told(world.put_image()).size(), 0U);
  world.tar = ImageWorld::tar_of("../a");
  world.expect_told("leads out of its folder");
}

TEST(Validate, TagsHaveToPointAtIt) {
  ImageWorld world;
  world.tags = {"latest", "v1"};
  world.expect_told("Tag `v1` is not there");
  const BlobRef first = world.put_image();
  world.tar = ImageWorld::tar_of("code/b");
  world.put_image();
  world.tags = {"latest"};
  const std::vector<std::string> sentences = world.told(first);
  ASSERT_EQ(sentences.size(), 1U);
  EXPECT_TRUE(sentences[0].starts_with("Tag `latest` points at sha256:"));
}

TEST(Validate, AnIndexIsFollowed) {
  ImageWorld world;
  const BlobRef manifest = world.put_image();
  const auto told_as = [&](const std::string& architecture) {
    const Document index{
        kOciIndex,
        cat(R"({"manifests":[{"digest":"sha256:)", manifest.digest.hex(), R"(","mediaType":")", kManifestType,
            R"(","platform":{"architecture":")", architecture, R"(","os":"linux"},"size":)", manifest.size,
            R"(}],"mediaType":")", kOciIndex, R"(","schemaVersion":2})")};
    EXPECT_TRUE(world.registry->put_manifest("i", index, {"latest"}, {}));
    return world.told(index.ref());
  };
  EXPECT_EQ(told_as("amd64").size(), 0U);
  ASSERT_EQ(told_as("arm64").size(), 1U);
  EXPECT_NE(told_as("arm64")[0].find("is for linux/amd64, and its index lists it for linux/arm64"),
            std::string::npos);
}

TEST(Validate, AStopEndsIt) {
  ImageWorld world;
  const BlobRef image = world.put_image();
  world.stop.request_stop();
  const auto found = validate({*world.registry, "i", image, {}, true, 1}, world.stop.get_token());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().blame, Blame::kInterrupted);
}

}  // namespace
}  // namespace trainmake
