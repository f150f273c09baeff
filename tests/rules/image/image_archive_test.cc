#include "rules/image/image_archive.h"

#include "engine/base/text.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"
#include "rules/image/tar_check.h"
#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

// An image of two layers in the store.
struct ArchiveWorld : RuleWorld {
  std::vector<Layer> layers = {made("one"), made("two")};
  BlobRef config = *store.make(kConfigType, render_config({}, layers, ""));
  BlobRef manifest = *store.make(kManifestType, render_manifest(config, layers));
  ImageSource source{*registry, store};

  Layer made(const std::string& bytes) {
    return {*store.make("application/vnd.oci.image.layer.v1.tar", bytes), sha256_of(bytes)};
  }
  Result<std::string> archive(const std::vector<std::string>& names) {
    TRY_ASSIGN(const ImageContents contents,
               read_contents(source, {{manifest.digest, manifest.size, names}}, {}));
    std::string tar;
    TRY(write_image_archive(
        contents, source,
        [&](std::string_view bytes) {
          tar += bytes;
          return Result<void>();
        },
        stop.get_token()));
    return tar;
  }
};

// What follows the header of the entry at `path`, as far as `size`.
std::string content_of(const std::string& tar, const std::string& path) {
  const std::size_t at = tar.find(path + std::string(1, '\0'));
  EXPECT_NE(at, std::string::npos) << path;
  const std::size_t size = *whole_number<std::size_t>(tar.substr(at + 124, 11), 8);
  return tar.substr(at + 512, size);
}

TEST(ImageArchive, HoldsTheImageForEveryReader) {
  ArchiveWorld world;
  const Result<std::string> tar = world.archive({"vision/mnist:v1"});
  ASSERT_TRUE(tar);
  TarCheck check(TarMaker::kUs);
  check.add(*tar);
  EXPECT_EQ(check.finish(), std::vector<std::string>());
  for (const Layer& layer : world.layers)
    EXPECT_EQ(sha256_of(content_of(*tar, cat("blobs/sha256/", layer.blob.digest.hex()))), layer.blob.digest);
  const auto path = [](const BlobRef& blob) { return cat("blobs/sha256/", blob.digest.hex()); };
  EXPECT_EQ(content_of(*tar, "manifest.json"),
            cat(R"([{"Config":")", path(world.config), R"(","Layers":[")", path(world.layers[0].blob),
                R"(",")", path(world.layers[1].blob), R"("],"RepoTags":["vision/mnist:v1"]}])"));
  EXPECT_EQ(content_of(*tar, "index.json"),
            cat(R"({"manifests":[{"annotations":{"io.containerd.image.name":"docker.io/vision/mnist:v1",)",
                R"("org.opencontainers.image.ref.name":"vision/mnist:v1"},"digest":")",
                digest_text(world.manifest.digest), R"(","mediaType":")", kManifestType, R"(","size":)",
                world.manifest.size,
                R"(}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2})"));
}

TEST(ImageArchive, IsTheSameEachTime) {
  ArchiveWorld one, two;
  EXPECT_EQ(*one.archive({"a:b"}), *two.archive({"a:b"}));
}

TEST(ImageArchive, ANameThatDockerWouldRefuseStandsInTheIndexAlone) {
  ArchiveWorld world;
  const std::string tar = *world.archive({"My Models/mnist:v1"});
  EXPECT_NE(content_of(tar, "index.json").find("\"My Models/mnist:v1\""), std::string::npos);
  EXPECT_NE(content_of(tar, "manifest.json").find("\"RepoTags\":[]"), std::string::npos);
}

TEST(ImageArchive, ALayerThatIsNotHereComesFromWhereTheImageWent) {
  ArchiveWorld world;
  const auto elsewhere = make_layout(world.host, {"/", "/elsewhere", ""});
  const std::string expected = *world.archive({});
  const Layer& layer = world.layers[1];
  const std::string path = world.store.path(layer.blob.digest);
  FileBlob blob(world.files, layer.blob, path);
  ASSERT_TRUE(elsewhere->put("i", blob, {}));
  world.files.take_away(path);
  EXPECT_FALSE(world.archive({}));
  world.source.remote = elsewhere.get();
  world.source.repository = "i";
  EXPECT_EQ(world.archive({}), expected);
}

TEST(ImageArchive, ADamagedLayerIsAnError) {
  ArchiveWorld world;
  world.files.put(world.store.path(world.layers[0].blob.digest), "on3");
  EXPECT_FALSE(world.archive({}));
}

TEST(ImageArchive, AStopEndsIt) {
  ArchiveWorld world;
  world.stop.request_stop();
  EXPECT_EQ(world.archive({}).error().blame, Blame::kInterrupted);
}

TEST(ImageArchive, OfAnIndexDockerGetsTheImageForThisMachine) {
  ArchiveWorld world;
  ImageConfig settings;
  settings.architecture = "s390x";
  const BlobRef other_config = *world.store.make(kConfigType, render_config(settings, {}, ""));
  const BlobRef other = *world.store.make(kManifestType, render_manifest(other_config, {}));
  const auto listed = [](const BlobRef& blob, const std::string& architecture) {
    return cat(R"({"mediaType":")", blob.media_type, R"(","digest":")", digest_text(blob.digest),
               R"(","size":)", blob.size, R"(,"platform":{"os":"linux","architecture":")", architecture,
               "\"}}");
  };
  const char* type = "application/vnd.oci.image.index.v1+json";
  const BlobRef index = *world.store.make(
      type, cat(R"({"schemaVersion":2,"mediaType":")", type, R"(","manifests":[)", listed(other, "s390x"),
                ",", listed(world.manifest, "amd64"), ",", listed(world.manifest, "arm64"), "]}"));
  const BlobRef manifest = std::exchange(world.manifest, index);
  const std::string tar = *world.archive({"a:b"});
  EXPECT_NE(content_of(tar, "manifest.json").find(world.config.digest.hex()), std::string::npos);
  for (const BlobRef& blob : {index, other, other_config, manifest})
    EXPECT_EQ(sha256_of(content_of(tar, cat("blobs/sha256/", blob.digest.hex()))), blob.digest);
}

TEST(ImageAddress, IsReadAsRecordsHaveIt) {
  const std::string digest = digest_text(sha256_of("x"));
  const auto layout = parse_image_address(cat("oci:vision/mnist:v1@", digest));
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->name("v2"), "vision/mnist:v2");
  EXPECT_EQ(layout->tag, "v1");
  EXPECT_EQ(layout->digest, sha256_of("x"));
  const auto remote = parse_image_address(cat("registry:127.0.0.1:5000/team/i:v1@", digest));
  ASSERT_TRUE(remote);
  EXPECT_EQ(remote->host, "127.0.0.1:5000");
  EXPECT_EQ(remote->repository, "team/i");
  EXPECT_EQ(remote->name("v1"), "127.0.0.1:5000/team/i:v1");
  for (const std::string& text :
       {std::string(), cat("run:x:y@", digest), cat("oci:x@", digest), std::string("oci:x:y@z")})
    EXPECT_FALSE(parse_image_address(text)) << text;
}

}  // namespace
}  // namespace trainmake
