// What every registry promises, as a suite: instantiate it with a function that makes an empty one.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "rules/image/blob_source.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"
#include "rules/image/registry.h"
#include "tests/support/mem_fs.h"

namespace trainmake {

struct RegistryUnderTest {
  std::shared_ptr<MemFileSystem> files;  // where put reads from
  std::shared_ptr<Registry> registry;
};
using MakeRegistry = RegistryUnderTest (*)();

class RegistryConformance : public testing::TestWithParam<MakeRegistry> {
 protected:
  RegistryUnderTest under = GetParam()();
  Registry& registry = *under.registry;

  static BlobRef layer_of(const std::string& bytes) {
    return {"application/vnd.oci.image.layer.v1.tar+gzip", sha256_of(bytes), bytes.size()};
  }
  bool put(const std::string& repository, const std::string& bytes) {
    under.files->put("/src/blob", bytes);
    FileBlob blob(*under.files, layer_of(bytes), "/src/blob");
    return registry.put(repository, blob, {}).has_value();
  }
  // What is read there; nothing when that fails.
  std::optional<std::string> read(const std::string& repository, const BlobRef& blob) {
    std::string bytes;
    const Result<void> done = registry.read(repository, blob,
                                            [&](std::string_view piece) {
                                              bytes += piece;
                                              return Result<void>();
                                            },
                                            {});
    return done ? std::optional(bytes) : std::nullopt;
  }
  std::optional<BlobRef> find(const std::string& repository, const std::string& reference) {
    const auto found = registry.find({repository, reference}, nullptr, {});
    return found.has_value() ? *found : std::nullopt;
  }
  bool has(const std::string& repository, const Sha256& digest) {
    const auto size = registry.size_of(repository, digest, nullptr, {});
    return size.has_value() && size->has_value();
  }
  // A manifest of one layer, whose blobs are there.
  Document image(const std::string& repository, const std::string& layer) {
    const std::string config = cat("{\"of\":\"", layer, "\"}");
    EXPECT_TRUE(put(repository, layer));
    EXPECT_TRUE(put(repository, config));
    return {kManifestType, render_manifest({kConfigType, sha256_of(config), config.size()},
                                           {{layer_of(layer), sha256_of("")}})};
  }
};

TEST_P(RegistryConformance, WhatWasPutIsThere) {
  ASSERT_TRUE(put("team/a", "hello"));
  EXPECT_EQ(registry.size_of("team/a", sha256_of("hello"), nullptr, {}).value(), 5U);
  EXPECT_EQ(read("team/a", layer_of("hello")), "hello");
}

TEST_P(RegistryConformance, WhatWasNotPutIsNot) {
  EXPECT_FALSE(has("team/a", sha256_of("hello")));
  EXPECT_FALSE(read("team/a", layer_of("hello")));
  for (const std::string& reference : {std::string("latest"), digest_text(sha256_of("hello"))}) {
    const auto found = registry.find({"team/a", reference}, nullptr, {});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_FALSE(*found);
  }
}

TEST_P(RegistryConformance, PuttingAgainIsFine) {
  ASSERT_TRUE(put("team/a", "hello"));
  EXPECT_TRUE(put("team/a", "hello"));
  EXPECT_EQ(read("team/a", layer_of("hello")), "hello");
}

TEST_P(RegistryConformance, AnEmptyBlobIsOne) {
  ASSERT_TRUE(put("team/a", ""));
  EXPECT_TRUE(has("team/a", sha256_of("")));
  EXPECT_EQ(read("team/a", layer_of("")), "");
}

TEST_P(RegistryConformance, ALargeBlobIsKeptWhole) {
  const std::string bytes(70'000'001, 'x');  // more than travels at once
  ASSERT_TRUE(put("team/a", bytes));
  EXPECT_EQ(read("team/a", layer_of(bytes)), bytes);
}

TEST_P(RegistryConformance, AFileThatIsNotWhatWasDigestedIsRefused) {
  under.files->put("/src/blob", "world");
  FileBlob blob(*under.files, layer_of("hello"), "/src/blob");
  EXPECT_FALSE(registry.put("team/a", blob, {}));
  EXPECT_FALSE(has("team/a", sha256_of("hello")));
}

TEST_P(RegistryConformance, ABlobOfAnotherSizeIsNotGiven) {
  ASSERT_TRUE(put("team/a", "hello"));
  for (const std::uint64_t size : {4U, 6U}) {
    BlobRef blob = layer_of("hello");
    blob.size = size;
    EXPECT_FALSE(read("team/a", blob)) << size;
  }
}

TEST_P(RegistryConformance, WhatIsMountedIsThere) {
  ASSERT_TRUE(put("team/a", "hello"));
  ASSERT_TRUE(registry.mount("team/b", layer_of("hello"), "team/a", {}).value());
  EXPECT_EQ(read("team/b", layer_of("hello")), "hello");
}

TEST_P(RegistryConformance, WhatCannotBeMountedIsPut) {
  ASSERT_FALSE(registry.mount("team/b", layer_of("hello"), "team/a", {}).value());
  ASSERT_TRUE(put("team/b", "hello"));
  EXPECT_EQ(read("team/b", layer_of("hello")), "hello");
}

TEST_P(RegistryConformance, AManifestIsFoundByItsTagsAndItsDigest) {
  const Document manifest = image("team/a", "one");
  ASSERT_TRUE(registry.put_manifest("team/a", manifest, {"latest", "v1"}, {}));
  for (const std::string& reference :
       {std::string("latest"), std::string("v1"), digest_text(manifest.ref().digest)}) {
    const std::optional<BlobRef> found = find("team/a", reference);
    ASSERT_TRUE(found) << reference;
    EXPECT_EQ(found->digest, manifest.ref().digest);
    EXPECT_EQ(found->size, manifest.bytes.size());
    EXPECT_EQ(found->media_type, kManifestType);
    EXPECT_EQ(read("team/a", *found), manifest.bytes);
  }
  EXPECT_FALSE(find("team/a", "v2"));
}

TEST_P(RegistryConformance, WithoutATagItIsFoundByItsDigestAlone) {
  const Document manifest = image("team/a", "one");
  ASSERT_TRUE(registry.put_manifest("team/a", manifest, {}, {}));
  EXPECT_TRUE(find("team/a", digest_text(manifest.ref().digest)));
  EXPECT_FALSE(find("team/a", "latest"));
}

TEST_P(RegistryConformance, ATagPointsAtTheLastAndTheOthersStay) {
  const Document one = image("team/a", "one");
  const Document two = image("team/a", "two");
  ASSERT_TRUE(registry.put_manifest("team/a", one, {"latest", "v1"}, {}));
  ASSERT_TRUE(registry.put_manifest("team/a", two, {"latest"}, {}));
  EXPECT_EQ(find("team/a", "latest")->digest, two.ref().digest);
  EXPECT_EQ(find("team/a", "v1")->digest, one.ref().digest);
}

TEST_P(RegistryConformance, AnIndexIsKeptBesideWhatItNames) {
  const Document manifest = image("team/a", "one");
  ASSERT_TRUE(registry.put_manifest("team/a", manifest, {}, {}));
  const Document index{kIndexType, render_index({{manifest.ref(), "amd64", ""}})};
  ASSERT_TRUE(registry.put_manifest("team/a", index, {"latest"}, {}));
  const std::optional<BlobRef> found = find("team/a", "latest");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->media_type, kIndexType);
  EXPECT_EQ(read("team/a", *found), index.bytes);
}

}  // namespace trainmake
