#include "rules/image/layer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "cache/file_digests.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/forwarding_fs.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

constexpr const char* kWeights = "/w/weights.bin";

// Writes into the file while it is read: from the second read on, whoever opened it gets other bytes, as many
// times as `left` says.
class Rewriting final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  int left = 0;
  int opened = 0;

  Result<std::unique_ptr<FileReader>> open(const std::string& path) override {
    TRY_ASSIGN(std::unique_ptr<FileReader> reader, ForwardingFileSystem::open(path));
    if (path != kWeights) return reader;
    ++opened;
    return std::unique_ptr<FileReader>(std::make_unique<Reader>(std::move(reader), left-- > 0));
  }

 private:
  class Reader final : public FileReader {
   public:
    Reader(std::unique_ptr<FileReader> inner, bool changes) : inner_(std::move(inner)), changes_(changes) {}
    Result<std::size_t> read(std::span<char> into) override {
      TRY_ASSIGN(const std::size_t count, inner_->read(into));
      if (changes_ && reads_++ > 0 && count > 0) into[count / 2] ^= 1;
      return count;
    }
    Result<Stat> stat() override { return inner_->stat(); }

   private:
    std::unique_ptr<FileReader> inner_;
    bool changes_;
    int reads_ = 0;
  };
};

struct LayerWorld {
  MemFileSystem memory;
  Rewriting files{memory};
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment;
  Host host{files, processes, http, clock, environment};
  Workspace workspace{"/w", "/w/.trainmake", ""};
  Blobs blobs{files, workspace.cache};
  ImageStore store = ImageStore::of(host, workspace);
  Layers layers{host, workspace, blobs, store};
  std::string content = std::string(3'000'000, 'x');
  LayerSource source{{"tree", "/weights", Compression::kGzip}, [this] { return listing(); }};

  LayerWorld() { memory.put(kWeights, content); }

  Result<Listing> listing() const {
    ContentHasher hasher;
    hasher.add(content);
    return Listing{{"weights.bin", "weights.bin", "", content.size(), 0644, hasher.finish(), {}}};
  }
  bool left_nothing() {
    const std::vector<std::string> all = memory.all_files();
    return all == std::vector<std::string>{"w/weights.bin"};
  }
};

TEST(Layers, AFileIsReadOnceAndNotCopied) {
  LayerWorld world;
  ASSERT_TRUE(world.layers.build(world.source, {}));
  EXPECT_EQ(world.files.opened, 1);
  const std::vector<std::string> all = world.memory.all_files();
  EXPECT_TRUE(std::none_of(all.begin(), all.end(),
                           [](const std::string& path) { return path.starts_with("w/.trainmake/blobs/"); }));
}

TEST(Layers, AFileThatIsWrittenWhileItIsReadIsReadOnceMore) {
  LayerWorld clean, world;
  world.files.left = 1;
  const Result<Layer> layer = world.layers.build(world.source, {});
  ASSERT_TRUE(layer);
  EXPECT_EQ(world.files.opened, 2);
  EXPECT_EQ(layer->diff_id, clean.layers.build(clean.source, {})->diff_id);
}

TEST(Layers, AFileThatIsWrittenAgainAndAgainIsAnErrorThatNamesItAndLeavesNothing) {
  LayerWorld world;
  world.files.left = 1000;
  const Result<Layer> layer = world.layers.build(world.source, {});
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().message, "`weights.bin` changed while it was read");
  EXPECT_FALSE(*world.layers.remembered(world.source.key));
  EXPECT_TRUE(world.left_nothing());
}

TEST(Layers, AFileThatBecameShorterOrLongerIsNotTaken) {
  for (const std::string& now : {std::string(2'999'999, 'x'), std::string(3'000'001, 'x'), std::string()}) {
    LayerWorld world;
    world.memory.put(kWeights, now);
    const Result<Layer> layer = world.layers.build(world.source, {});
    ASSERT_FALSE(layer) << now.size();
    EXPECT_NE(layer.error().message.find("changed"), std::string::npos);
    EXPECT_TRUE(world.left_nothing());
  }
}

TEST(Layers, AFullDiskIsToldWithItsFolderAndLeavesNothing) {
  for (int nth = 1; nth <= 3; ++nth) {
    LayerWorld world;
    std::mt19937_64 dice(1);
    for (char& c : world.content) c = static_cast<char>(dice());
    world.memory.put(kWeights, world.content);
    world.memory.fail_nth("write", nth, ENOSPC);
    const Result<Layer> layer = world.layers.build(world.source, {});
    ASSERT_FALSE(layer) << nth;
    EXPECT_EQ(layer.error().blame, Blame::kStep);
    EXPECT_NE(layer.error().message.find("`/w/.trainmake/images`: No space left on device"),
              std::string::npos)
        << layer.error().message;
    EXPECT_TRUE(world.left_nothing());
  }
}

TEST(Layers, AnotherCompressionIsAnotherBlobOfTheSameContent) {
  LayerWorld world;
  const Layer gzip = *world.layers.build(world.source, {});
  world.source.key.compression = Compression::kZstd;
  EXPECT_FALSE(*world.layers.remembered(world.source.key));
  const Layer zstd = *world.layers.build(world.source, {});
  EXPECT_EQ(zstd.diff_id, gzip.diff_id);
  EXPECT_NE(zstd.blob.digest, gzip.blob.digest);
  EXPECT_EQ(zstd.blob.media_type, "application/vnd.oci.image.layer.v1.tar+zstd");
  EXPECT_EQ((*world.layers.remembered(world.source.key))->blob.digest, zstd.blob.digest);
}

TEST(Layers, WhoeverGetsItsBytesAsWellGetsAllOfThemAfresh) {
  LayerWorld world;
  world.files.left = 1;
  std::string bytes;
  int begun = 0;
  world.source.also = [&]() -> ByteSink {
    bytes.clear();
    ++begun;
    return [&](std::string_view piece) {
      bytes += piece;
      return Result<void>();
    };
  };
  const Layer layer = *world.layers.build(world.source, {});
  EXPECT_EQ(begun, 2);
  EXPECT_EQ(sha256_of(bytes), layer.blob.digest);
}

}  // namespace
}  // namespace trainmake
