#include "cache/blobs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <thread>

#include "cache/file_digests.h"
#include "engine/base/text.h"
#include "tests/support/forwarding_fs.h"
#include "tests/support/mem_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

struct BlobsTest : testing::Test {
  MemFileSystem files;
  Blobs blobs{files, "/cache"};
};

TEST_F(BlobsTest, WhatIsPutCanBeRead) {
  for (const std::string& bytes : {std::string(), std::string("hello"), std::string(100'000, 'x')}) {
    const Sha256 digest = *blobs.put(bytes);
    EXPECT_EQ(digest, sha256_of(bytes));
    EXPECT_TRUE(*blobs.has(digest));
    EXPECT_EQ(**blobs.read(digest), bytes);
  }
}

TEST_F(BlobsTest, OneThatIsDamagedIsNotSoundAndGoes) {
  const Sha256 digest = *blobs.put("hello");
  EXPECT_TRUE(*blobs.is_sound(digest));
  files.put(blobs.path(digest), "hullo");
  EXPECT_TRUE(*blobs.has(digest)) << "which a look does not tell";
  EXPECT_FALSE(*blobs.is_sound(digest));
  EXPECT_FALSE(*blobs.has(digest));
}

TEST_F(BlobsTest, LiesUnderItsDigestReadOnly) {
  const Sha256 digest = *blobs.put("hello");
  const std::string path =
      "/cache/blobs/sha256/2c/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  EXPECT_EQ(blobs.path(digest), path);
  EXPECT_EQ(files.look(path)->mode, 0444U);
}

TEST_F(BlobsTest, WhatIsNotThereIsMissing) {
  const Sha256 digest = sha256_of("nothing");
  EXPECT_FALSE(*blobs.has(digest));
  EXPECT_FALSE(*blobs.read(digest));
  EXPECT_FALSE(*blobs.copy_out(digest, "/out", {}));
  EXPECT_FALSE(files.has("/out"));
  EXPECT_TRUE(blobs.remove(digest));
}

TEST_F(BlobsTest, PuttingAgainWritesNothing) {
  ASSERT_TRUE(blobs.put("hello"));
  files.take_log();
  ASSERT_TRUE(blobs.put("hello"));
  for (const std::string& line : files.take_log()) EXPECT_FALSE(line.starts_with("create")) << line;
}

TEST_F(BlobsTest, AFileIsStreamedInWithBothDigests) {
  const std::string bytes(700'000, 'y');
  files.put("/model.bin", bytes);
  const Blobs::Stored stored = *blobs.put_file("/model.bin", {});
  EXPECT_EQ(stored.sha256, sha256_of(bytes));
  EXPECT_EQ(stored.content, digest_of(bytes));
  EXPECT_EQ(stored.size, bytes.size());
  EXPECT_EQ(**blobs.read(stored.sha256), bytes);
  EXPECT_EQ(files.look(blobs.path(stored.sha256))->mode, 0444U);
}

TEST_F(BlobsTest, WhatComesInPiecesIsOneBlob) {
  const auto give = [](const Blobs::Sink& sink) -> Result<void> {
    TRY(sink("hel"));
    return sink("lo");
  };
  const Sha256 digest = *blobs.put_pieces(give);
  EXPECT_EQ(digest, sha256_of("hello"));
  EXPECT_EQ(**blobs.read(digest), "hello");
  EXPECT_EQ(files.look(blobs.path(digest))->mode, 0444U);
  EXPECT_FALSE(blobs.put_pieces([](const Blobs::Sink& sink) -> Result<void> {
    TRY(sink("half"));
    return fail(step_error("no more"));
  }));
  EXPECT_EQ(files.all_files().size(), 1U) << "what was cut leaves nothing";
}

TEST_F(BlobsTest, AFileThatIsTakenInBecomesTheBlobWithoutACopy) {
  const std::string bytes(400'000, 'x');
  files.put("/cache/part", bytes);
  files.take_log();
  const auto stored = blobs.take_in("/cache/part", {});
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->sha256, sha256_of(bytes));
  EXPECT_EQ(stored->content, digest_of(bytes));
  EXPECT_EQ(stored->size, bytes.size());
  for (const std::string& asked : files.take_log()) EXPECT_FALSE(asked.starts_with("create")) << asked;
  EXPECT_EQ(files.all_files().size(), 1U);
  EXPECT_EQ(**blobs.read(stored->sha256), bytes);
  EXPECT_EQ(files.look(blobs.path(stored->sha256))->mode, 0444U);
}

TEST_F(BlobsTest, AFileThatCannotBeMovedIsCopied) {
  files.put("/cache/part", "hello");
  const std::string to = blobs.path(sha256_of("hello"));
  files.refuse(cat("rename /cache/part ", to), EXDEV);
  const auto stored = blobs.take_in("/cache/part", {});
  ASSERT_TRUE(stored);
  EXPECT_EQ(**blobs.read(stored->sha256), "hello");
  EXPECT_FALSE(files.has("/cache/part"));
}

TEST_F(BlobsTest, ADamagedOneIsRemovedAndToldAsMissing) {
  const Sha256 digest = *blobs.put("hello");
  files.put(blobs.path(digest), "rotten");
  EXPECT_FALSE(*blobs.read(digest));
  EXPECT_FALSE(*blobs.has(digest));
  ASSERT_TRUE(blobs.put("hello"));
  files.put(blobs.path(digest), "hellO");
  EXPECT_FALSE(*blobs.copy_out(digest, "/out", {}));
  EXPECT_FALSE(files.has("/out"));
  EXPECT_FALSE(*blobs.has(digest));
}

TEST_F(BlobsTest, PuttingHealsADamagedOne) {
  const Sha256 digest = *blobs.put("hello");
  files.put(blobs.path(digest), "hellO");
  ASSERT_TRUE(blobs.put("hello"));
  EXPECT_EQ(**blobs.read(digest), "hello");
  files.put("/file", "hello");
  files.put(blobs.path(digest), "hellO");
  ASSERT_TRUE(blobs.put_file("/file", {}));
  EXPECT_EQ(**blobs.read(digest), "hello");
}

TEST_F(BlobsTest, ACopyThatIsInterruptedLeavesNothing) {
  const Sha256 digest = *blobs.put("hello");
  std::stop_source stop;
  stop.request_stop();
  const auto copied = blobs.copy_out(digest, "/out", {}, {stop.get_token()});
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().blame, Blame::kInterrupted);
  EXPECT_FALSE(files.look("/out")->exists());
  std::uint64_t bytes = 0;
  ASSERT_TRUE(*blobs.copy_out(digest, "/out", {}, {{}, [&](std::uint64_t piece) { bytes += piece; }}));
  EXPECT_EQ(bytes, 5U);
}

TEST_F(BlobsTest, CopiesOutWithTheAskedMode) {
  const Sha256 digest = *blobs.put("#!/bin/sh\n");
  EXPECT_TRUE(*blobs.copy_out(digest, "/out/run.sh", {.mode = 0755}));
  EXPECT_EQ(files.content("/out/run.sh"), "#!/bin/sh\n");
  EXPECT_EQ(files.look("/out/run.sh")->mode, 0755U);
}

TEST_F(BlobsTest, AFullDiskLeavesNothingBehind) {
  files.put("/model.bin", std::string(600'000, 'z'));
  for (const char* verb : {"create", "write", "commit", "rename"}) {
    for (int nth = 1; nth <= 3; ++nth) {
      files.fail_nth(verb, nth, ENOSPC);
      const bool put = blobs.put("hello").has_value() && blobs.put_file("/model.bin", {}).has_value();
      files.fail_nth(verb, nth, 0);
      for (const std::string& path : files.all_files()) {
        if (path == "model.bin") continue;
        const std::optional<Sha256> digest = Sha256::parse(path_name(path));
        ASSERT_TRUE(digest) << path;
        EXPECT_EQ(sha256_of(files.content("/" + path)), *digest);
      }
      if (!put) {
        EXPECT_TRUE(files.remove("/cache"));
      }
    }
  }
}

// Asks for a stop at the first write.
class StoppingFileSystem final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;

  Result<std::unique_ptr<FileWriter>> create(const std::string& path, const WriteOptions& options) override {
    TRY_ASSIGN(std::unique_ptr<FileWriter> writer, ForwardingFileSystem::create(path, options));
    return std::unique_ptr<FileWriter>(std::make_unique<Writer>(std::move(writer), stop));
  }

  std::stop_source stop;

 private:
  class Writer final : public FileWriter {
   public:
    Writer(std::unique_ptr<FileWriter> inner, std::stop_source stop)
        : inner_(std::move(inner)), stop_(std::move(stop)) {}
    Result<void> append(std::string_view bytes) override {
      stop_.request_stop();
      return inner_->append(bytes);
    }
    Result<void> commit() override { return inner_->commit(); }

   private:
    std::unique_ptr<FileWriter> inner_;
    std::stop_source stop_;
  };
};

TEST_F(BlobsTest, AStopEndsAPutInTheMiddleOfAFileAndLeavesNothing) {
  files.put("/model.bin", std::string(3'000'000, 'z'));
  StoppingFileSystem stopping(files);
  files.take_log();
  const auto stored = Blobs(stopping, "/cache").put_file("/model.bin", stopping.stop.get_token());
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().blame, Blame::kInterrupted);
  const std::vector<std::string> log = files.take_log();
  // The first piece is held back until there is a second one.
  EXPECT_LE(std::count_if(log.begin(), log.end(), [](const auto& line) { return line.starts_with("write"); }),
            2);
  EXPECT_EQ(files.all_files(), std::vector<std::string>{"model.bin"});
}

TEST_F(BlobsTest, EachVisitsBlobsAlone) {
  const std::set<Sha256> put = {*blobs.put("a"), *blobs.put("b"), *blobs.put("c")};
  files.put("/cache/blobs/sha256/2c/.tm-tmp-1-1", "half");
  std::set<Sha256> seen;
  ASSERT_TRUE(blobs.each([&](const Sha256& digest, const Stat& stat) {
    seen.insert(digest);
    EXPECT_EQ(stat.size, 1U);
  }));
  EXPECT_EQ(seen, put);
}

TEST_F(BlobsTest, EachVisitsNothingWhereNothingIs) {
  EXPECT_TRUE(blobs.each([](const Sha256&, const Stat&) { FAIL(); }));
}

TEST_F(BlobsTest, SweepingRemovesWhatIsHalf) {
  const Sha256 digest = *blobs.put("hello");
  files.put("/cache/blobs/incoming/1-1", "half");
  files.put(std::string(path_folder(blobs.path(digest))) + "/.tm-tmp-1-1", "half");
  ASSERT_TRUE(blobs.sweep());
  EXPECT_EQ(files.all_files(), std::vector<std::string>{blobs.path(digest).substr(1)});
}

TEST(BlobsOnDisk, ManyMayPutTheSameAtOnce) {
  const ScratchFolder folder;
  folder.write("file", std::string(3'000'000, 'q'));
  Blobs blobs(real_file_system(), folder.path("cache"));
  std::atomic<int> put = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        put += blobs.put_file(folder.path("file"), {}).has_value() && blobs.put("hello").has_value() ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(put, 8);
  EXPECT_EQ(**blobs.read(sha256_of("hello")), "hello");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path("cache/blobs/incoming")));
}

TEST_F(BlobsTest, FewAreSyncedEachByItselfAndManyWithTheirDisk) {
  std::vector<Sha256> few, many;
  for (int i = 0; i < 17; ++i) many.push_back(*blobs.put(cat(i)));
  few.assign(many.begin(), many.begin() + 2);
  files.take_log();
  ASSERT_TRUE(blobs.sync({}));
  EXPECT_TRUE(files.take_log().empty());
  ASSERT_TRUE(blobs.sync(few));
  EXPECT_EQ(files.take_log(), (std::vector<std::string>{cat("sync_file ", blobs.path(few[0])),
                                                        cat("sync_file ", blobs.path(few[1]))}));
  ASSERT_TRUE(blobs.sync(many));
  EXPECT_EQ(files.take_log(), (std::vector<std::string>{"sync_disk /cache/blobs"}));
  EXPECT_FALSE(blobs.sync({sha256_of("nothing")}));
}

}  // namespace
}  // namespace trainmake
