#include "cache/file_digests.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <random>

#include "engine/base/text.h"
#include "tests/support/fake_clock.h"
#include "tests/support/mem_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

struct FileDigestsTest : testing::Test {
  FileDigestsTest() {
    clock.advance(std::chrono::nanoseconds(files.now_ns - FakeClock::kStart) + std::chrono::hours(1));
  }

  WalkedFile seen(const std::string& path) {
    return {path, *files.look("/root/vision/" + path, Links::kKeep), {}};
  }
  std::vector<WalkedFile> all_seen() {
    std::vector<WalkedFile> all;
    for (const std::string& path : files.all_files()) {
      if (path.starts_with("root/vision/")) all.push_back(seen(path.substr(12)));
    }
    return all;
  }
  // A process of its own: what is not saved is forgotten.
  FileDigests::Digested digest(const std::vector<WalkedFile>& asked) {
    FileDigests digests(files, clock, "/root", "/cache", tally);
    Result<FileDigests::Digested> digested = digests.digest("vision", asked, clock.now_ns());
    EXPECT_TRUE(digests.save());
    if (!digested) ADD_FAILURE() << digested.error().message;
    return digested ? *std::move(digested) : FileDigests::Digested();
  }
  std::uint64_t hashed() { return tally.hashed_files.exchange(0); }
  bool opened(const std::string& path) {
    const std::vector<std::string> log = files.take_log();
    return std::find(log.begin(), log.end(), "open " + path) != log.end();
  }

  MemFileSystem files;
  FakeClock clock;
  Tally tally;
};

TEST_F(FileDigestsTest, AFileHasTheDigestOfItsContent) {
  files.put("/root/vision/a.py", "print(1)");
  files.put("/root/vision/empty", "");
  const auto digested = digest({seen("a.py"), seen("empty")});
  EXPECT_EQ(digested.digests, (std::vector<Digest128>{digest_of("print(1)"), digest_of("")}));
  EXPECT_TRUE(digested.settled);
  EXPECT_EQ(tally.stats_files, 2U);
  EXPECT_EQ(tally.hashed_files, 2U);
  EXPECT_EQ(tally.hashed_bytes, 8U);
}

TEST_F(FileDigestsTest, AnUnchangedFileIsNotReadAgain) {
  files.put("/root/vision/a.py", "print(1)");
  const auto first = digest({seen("a.py")});
  files.take_log();
  EXPECT_EQ(digest({seen("a.py")}).digests, first.digests);
  EXPECT_FALSE(opened("/root/vision/a.py"));
  EXPECT_EQ(hashed(), 1U);
}

TEST_F(FileDigestsTest, KnowsWithinOneProcessWithoutSaving) {
  files.put("/root/vision/a.py", "print(1)");
  FileDigests digests(files, clock, "/root", "/cache", tally);
  ASSERT_TRUE(digests.digest("vision", std::vector{seen("a.py")}, clock.now_ns()));
  ASSERT_TRUE(digests.digest("vision", std::vector{seen("a.py")}, clock.now_ns()));
  EXPECT_EQ(hashed(), 1U);
}

TEST_F(FileDigestsTest, KnowsAllOfItAfterSavingAndSavesItAgain) {
  files.put("/root/vision/a", "1");
  files.put("/root/vision/b", "2");
  FileDigests digests(files, clock, "/root", "/cache", tally);
  ASSERT_TRUE(digests.digest("vision", std::vector{seen("a")}, clock.now_ns()));
  ASSERT_TRUE(digests.save());
  ASSERT_TRUE(digests.digest("vision", std::vector{seen("a"), seen("b")}, clock.now_ns()));
  EXPECT_EQ(hashed(), 2U);
  ASSERT_TRUE(digests.save());
  ASSERT_TRUE(digests.save());
  digest({seen("a"), seen("b")});
  EXPECT_EQ(hashed(), 0U);
}

TEST_F(FileDigestsTest, WhatWasReadBeforeALongReadingEndedIsKept) {
  constexpr std::size_t kBatch = 16384, kFiles = 2 * kBatch + 1000;
  for (std::size_t i = 0; i < kFiles; ++i) files.put(cat("/root/vision/", 10'000 + i), "x");
  const std::string last = cat("open /root/vision/", 10'000 + kFiles - 1);
  const auto asked = all_seen();
  std::atomic<std::size_t> opened_files = 0;
  files.on_open = [&](const std::string&) {
    if (++opened_files == kBatch + 1000) clock.advance(std::chrono::minutes(1));
  };
  files.refuse(last, EIO);
  {
    FileDigests digests(files, clock, "/root", "/cache", tally);
    EXPECT_FALSE(digests.digest("vision", asked, clock.now_ns()));
  }  // and nobody saves
  EXPECT_EQ(hashed(), 2 * kBatch);
  files.refuse(last, 0);
  digest(asked);
  EXPECT_EQ(hashed(), kFiles - 2 * kBatch);
}

TEST_F(FileDigestsTest, AFileThatWentAndCameBackWhileItWasOpenedIsUnsteady) {
  files.put("/root/vision/a", "1");
  const auto asked = all_seen();
  files.take_away("/root/vision/a");
  files.put("/root/vision/a", "2");
  files.refuse("open /root/vision/a", ENOENT);
  EXPECT_EQ(digest(asked).unsteady, (std::vector<std::string>{"a"}));
}

TEST_F(FileDigestsTest, AKeyIsRememberedWithItsDigest) {
  files.put("/root/vision/a", "nothing");
  files.put("/root/vision/b", "-----BEGIN PRIVATE KEY-----\nMIIE");
  files.put("/root/vision/c", std::string(kChunkBytes + 1, 'x'));
  files.put("/root/vision/d", cat("-----BEGIN PRIVATE KEY-----\n", std::string(kChunkBytes, 'x')));
  EXPECT_EQ(digest(all_seen()).keys, (std::vector<std::size_t>{1, 3}));
  hashed();
  EXPECT_EQ(digest(all_seen()).keys, (std::vector<std::size_t>{1, 3}));
  EXPECT_EQ(hashed(), 0U);
}

TEST_F(FileDigestsTest, AReadingGoesOnWhenWhatItLearntCannotBeKept) {
  for (std::size_t i = 0; i < 5'000; ++i) files.put(cat("/root/vision/", 10'000 + i), "x");
  const auto asked = all_seen();
  files.on_open = [&](const std::string&) { clock.advance(std::chrono::milliseconds(10)); };
  files.fail_nth("write", 1, ENOSPC);
  FileDigests digests(files, clock, "/root", "/cache", tally);
  EXPECT_TRUE(digests.digest("vision", asked, clock.now_ns()));
  EXPECT_TRUE(digests.save());
  hashed();
  files.on_open = nullptr;
  digest(asked);
  EXPECT_EQ(hashed(), 0U);
}

TEST_F(FileDigestsTest, ATouchedFileIsReadAndComesToTheSame) {
  files.put("/root/vision/a.py", "print(1)");
  const auto first = digest({seen("a.py")});
  files.touch("/root/vision/a.py");
  EXPECT_EQ(digest({seen("a.py")}).digests, first.digests);
  EXPECT_EQ(hashed(), 2U);
}

TEST_F(FileDigestsTest, AChangeOfSizeModeOrTimeIsEnoughToRead) {
  files.put("/root/vision/a.py", "print(1)");
  (void)digest({seen("a.py")});
  const WalkedFile file = seen("a.py");
  for (const auto change : {+[](Stat& stat) { ++stat.mtime_ns; }, +[](Stat& stat) { ++stat.ctime_ns; },
                            +[](Stat& stat) { ++stat.inode; }, +[](Stat& stat) { stat.mode = 0755; }}) {
    hashed();
    WalkedFile changed = file;
    change(changed.stat);
    (void)digest({changed});
    EXPECT_EQ(hashed(), 1U);
  }
}

TEST_F(FileDigestsTest, AFileWrittenAMomentAgoIsWaitedForAndThenTrusted) {
  files.put("/root/vision/a.py", "print(1)");
  clock.advance(std::chrono::nanoseconds(files.look("/root/vision/a.py")->mtime_ns - clock.now_ns()) +
                std::chrono::milliseconds(3));
  const std::int64_t before_ns = clock.now_ns();
  const auto first = digest({seen("a.py")});
  EXPECT_GT(clock.now_ns(), before_ns);
  EXPECT_LT(clock.now_ns(), before_ns + 100'000'000);
  EXPECT_FALSE(first.settled) << "the look was too near";
  EXPECT_EQ(digest({seen("a.py")}).digests, first.digests);
  EXPECT_EQ(hashed(), 1U);
}

TEST_F(FileDigestsTest, AFileOfTheFutureIsNeverTrusted) {
  files.put("/root/vision/a.py", "print(1)");
  clock.advance(-std::chrono::hours(2));
  for (int run = 0; run < 3; ++run) {
    const std::int64_t before_ns = clock.now_ns();
    EXPECT_FALSE(digest({seen("a.py")}).settled);
    EXPECT_EQ(clock.now_ns(), before_ns) << "waiting would not help";
    EXPECT_EQ(hashed(), 1U);
  }
}

TEST_F(FileDigestsTest, AFileThatChangesBeforeItIsReadIsUnsteady) {
  files.put("/root/vision/a.py", "print(1)");
  files.put("/root/vision/b.py", "print(2)");
  const std::vector<WalkedFile> asked = {seen("a.py"), seen("b.py")};
  files.put("/root/vision/b.py", "print(3)");
  const auto digested = digest(asked);
  EXPECT_EQ(digested.unsteady, std::vector<std::string>{"b.py"});
  EXPECT_EQ(digested.digests[0], digest_of("print(1)"));
  EXPECT_EQ(digest({seen("b.py")}).digests[0], digest_of("print(3)")) << "nothing wrong was learnt";
}

TEST_F(FileDigestsTest, AFileThatChangesWhileItIsReadIsUnsteady) {
  for (const char* now : {"print(3)", "1", "print(1); print(2)"}) {
    files.put("/root/vision/a.py", "print(1)");
    const std::vector<WalkedFile> asked = {seen("a.py")};
    files.on_open = [&](const std::string& path) {
      if (path == "/root/vision/a.py") files.put(path, now);
    };
    EXPECT_EQ(digest(asked).unsteady, std::vector<std::string>{"a.py"});
    files.on_open = nullptr;
    EXPECT_EQ(digest({seen("a.py")}).digests[0], digest_of(now));
  }
}

TEST_F(FileDigestsTest, AFileThatIsGoneIsUnsteady) {
  files.put("/root/vision/a.py", "print(1)");
  const std::vector<WalkedFile> asked = {seen("a.py")};
  files.take_away("/root/vision/a.py");
  EXPECT_EQ(digest(asked).unsteady, std::vector<std::string>{"a.py"});
}

TEST_F(FileDigestsTest, AFileThatCannotBeReadIsAnErrorThatNamesIt) {
  files.put("/root/vision/a.py", "print(1)");
  files.refuse("open /root/vision/a.py", EACCES);
  FileDigests digests(files, clock, "/root", "/cache", tally);
  const auto digested = digests.digest("vision", std::vector{seen("a.py")}, clock.now_ns());
  ASSERT_FALSE(digested);
  EXPECT_NE(digested.error().message.find("a.py"), std::string::npos);
}

TEST_F(FileDigestsTest, ALinkIsItsText) {
  files.put("/root/vision/a.py", "print(1)");
  files.put_link("/root/vision/l", "a.py");
  WalkedFile link = seen("l");
  link.link_target = "a.py";
  const Digest128 first = digest({link}).digests[0];
  EXPECT_NE(first, digest_of("a.py"));
  EXPECT_EQ(digest({link}).digests[0], first);
  link.link_target = "b.py";
  EXPECT_NE(digest({link}).digests[0], first);
  EXPECT_EQ(hashed(), 0U);
}

TEST_F(FileDigestsTest, AnUnsortedRequestIsAnsweredToo) {
  for (const char* name : {"a", "b", "c"}) files.put(cat("/root/vision/", name), name);
  (void)digest(all_seen());
  hashed();
  EXPECT_EQ(digest({seen("c"), seen("a"), seen("b")}).digests,
            (std::vector<Digest128>{digest_of("c"), digest_of("a"), digest_of("b")}));
  EXPECT_EQ(hashed(), 0U);
}

TEST_F(FileDigestsTest, ADamagedIndexCostsReadingAlone) {
  files.put("/root/vision/a.py", "print(1)");
  (void)digest({seen("a.py")});
  std::string index;
  for (const std::string& path : files.all_files()) {
    if (path.ends_with(".idx")) index = "/" + path;
  }
  ASSERT_FALSE(index.empty());
  const std::string whole = files.content(index);
  for (const std::string& damaged :
       {std::string(), whole.substr(0, 50), whole + "x", std::string(300, '\xff')}) {
    files.put(index, damaged);
    hashed();
    EXPECT_EQ(digest({seen("a.py")}).digests[0], digest_of("print(1)"));
    EXPECT_EQ(hashed(), 1U);
  }
}

TEST_F(FileDigestsTest, WhatNobodyAsksForIsForgottenInTheEnd) {
  files.put("/root/vision/a.py", "print(1)");
  files.put("/root/vision/b.py", "print(2)");
  (void)digest(all_seen());
  for (int i = 0; i < 50; ++i) {
    files.touch("/root/vision/a.py");
    (void)digest({seen("a.py")});
  }
  hashed();
  files.touch("/root/vision/a.py");
  (void)digest({seen("a.py")});
  (void)digest({seen("b.py")});
  EXPECT_EQ(hashed(), 2U);
}

TEST_F(FileDigestsTest, AskingKeepsAnEntryYoung) {
  files.put("/root/vision/a.py", "print(1)");
  files.put("/root/vision/b.py", "print(2)");
  for (int i = 0; i < 120; ++i) {
    files.touch("/root/vision/a.py");
    if (i % 40 == 0) {
      (void)digest({seen("a.py"), seen("b.py")});
    } else {
      (void)digest({seen("a.py")});
    }
  }
  EXPECT_EQ(hashed(), 121U);
}

TEST_F(FileDigestsTest, AnyEditsInAnyOrderGiveWhatReadingAllWouldGive) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    for (int edit = 0; edit < 3; ++edit) {
      const std::string path = cat("/root/vision/", random() % 5, "/", random() % 9);
      switch (random() % 4) {
        case 0:
          files.take_away(path);
          break;
        case 1:
          if (files.has(path)) files.touch(path);
          break;
        default:
          files.put(path, cat(random() % 100));
      }
    }
    FileDigests digests(files, clock, "/root", "/cache", tally);
    std::vector<WalkedFile> all = all_seen();
    const std::size_t middle = all.empty() ? 0 : random() % all.size();
    for (const auto& part : {std::span(all).first(middle), std::span(all).subspan(middle), std::span(all)}) {
      const auto digested = digests.digest("vision", part, clock.now_ns());
      ASSERT_TRUE(digested);
      for (std::size_t i = 0; i < part.size(); ++i)
        ASSERT_EQ(digested->digests[i], digest_of(files.content("/root/vision/" + part[i].path)));
    }
    if (random() % 2 == 0) {
      ASSERT_TRUE(digests.save());
    }
  }
}

TEST(FileDigestsOnDisk, ALargeFileHasTheDigestOfItsStreamedContent) {
  const ScratchFolder folder;
  Tally tally;
  for (const std::uint64_t size :
       {kChunkBytes - 1, kChunkBytes, kChunkBytes + 1, 3 * kChunkBytes, 3 * kChunkBytes + 12'345}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < bytes.size(); i += 997) bytes[i] = static_cast<char>(i / 997);
    folder.write("root/big", bytes);
    ContentHasher hasher;
    for (std::size_t at = 0; at < bytes.size(); at += 1'000'003)
      hasher.add(std::string_view(bytes).substr(at, 1'000'003));
    const Digest128 streamed = hasher.finish();
    EXPECT_EQ(size <= kChunkBytes, streamed == digest_of(bytes));
    FileDigests digests(real_file_system(), real_clock(), folder.path("root"), folder.path("cache"), tally);
    const std::vector<WalkedFile> asked = {{"big", *real_file_system().look(folder.path("root/big")), {}}};
    const auto digested = digests.digest("", asked, real_clock().now_ns());
    ASSERT_TRUE(digested);
    EXPECT_EQ(digested->digests[0], streamed) << size;
  }
}

// Whoever changes how content is digested makes every remembered result stale: see kManifestFormat.
TEST(ContentHasher, KeepsItsDigests) {
  ContentHasher small;
  small.add("hello");
  EXPECT_EQ(small.finish().hex(), "b5e9c1ad071b3e7fc779cfaa5e523818");
  ContentHasher large;
  large.add(std::string(kChunkBytes + 1, 'a'));
  EXPECT_EQ(large.finish().hex(), "16f9a08dbf4c40310383f802f6f89b7c");
}

}  // namespace
}  // namespace trainmake
