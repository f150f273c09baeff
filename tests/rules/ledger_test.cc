#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "engine/base/text.h"
#include "rules/data/ledger.h"
#include "rules/data/ledgers.h"
#include "tests/rules/mirror_world.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

constexpr std::uint64_t kSmall = 1000;  // bytes that a look tells of

struct LedgerTest : testing::Test {
  MemFileSystem files;
  Ledger ledger{files, "/cache", "place"};

  static Mirror announced() {
    Mirror mirror;
    mirror.target = "//data:d";
    mirror.root = "root";
    mirror.writer = "us";
    mirror.objects = {{"a", 1, digest_of("1"), "tag-a", {}}};
    mirror.unsettled = {sending("b", "2"), sending("c", "3"), removing("gone", "4")};
    return mirror;
  }
  // As another process finds it.
  void again(const std::function<void(const Ledger&)>& look) {
    Ledger other(files, "/cache", "place");
    EXPECT_TRUE(other.load());
    look(other);
  }
};

TEST_F(LedgerTest, NothingIsKnownAtFirst) {
  ASSERT_TRUE(ledger.load());
  EXPECT_FALSE(ledger.is_known());
  EXPECT_TRUE(ledger.mirror().objects.empty());
}

TEST_F(LedgerTest, WhatWasDoneSinceIsKnownAgain) {
  ASSERT_TRUE(ledger.begin("us"));
  ASSERT_TRUE(ledger.save(announced(), "t1"));
  ASSERT_TRUE(ledger.begun("b"));
  ASSERT_TRUE(ledger.put({"b", 1, digest_of("2"), "tag-b", {}}));
  ASSERT_TRUE(ledger.removed("gone"));
  ASSERT_TRUE(ledger.begun("c"));
  ASSERT_TRUE(ledger.note("c", "part 1"));
  again([](const Ledger& other) {
    EXPECT_EQ(other.tag(), "t1");
    ASSERT_NE(find_object(other.mirror(), "b"), nullptr);
    EXPECT_EQ(find_object(other.mirror(), "b")->tag, "tag-b");
    EXPECT_EQ(keys(other.mirror().unsettled), Names{"c"});
    EXPECT_TRUE(other.is_open("c"));
    EXPECT_FALSE(other.is_open("b"));
    EXPECT_EQ(other.notes("c"), Names{"part 1"});
    EXPECT_TRUE(other.wrote("us"));
    EXPECT_TRUE(other.owes_settling(kSmall));
  });
}

TEST_F(LedgerTest, ALogOfAnotherManifestIsNoNewsOfThisOne) {
  ASSERT_TRUE(ledger.save(announced(), "t1"));
  ASSERT_TRUE(ledger.put({"b", 1, digest_of("2"), "", {}}));
  ASSERT_TRUE(ledger.note("c", "part 1"));
  const std::string old_log = files.content(ledger.path() + ".log");
  Mirror next = announced();
  next.unsettled[0].content = digest_of("newer");
  ASSERT_TRUE(ledger.save(next, "t2"));
  files.put(ledger.path() + ".log", old_log);  // as a kill in between leaves it
  again([](const Ledger& other) {
    EXPECT_EQ(find_object(other.mirror(), "b"), nullptr);
    EXPECT_EQ(other.notes("c"), Names{"part 1"});
  });
}

TEST_F(LedgerTest, ALogThatWasCutCountsAsFarAsItGoes) {
  ASSERT_TRUE(ledger.save(announced(), "t1"));
  ASSERT_TRUE(ledger.put({"b", 1, digest_of("2"), "", {}}));
  const std::size_t whole = files.content(ledger.path() + ".log").size();
  ASSERT_TRUE(ledger.put({"c", 1, digest_of("3"), "", {}}));
  const std::string log = files.content(ledger.path() + ".log");
  for (std::size_t size = whole; size < log.size(); ++size) {
    files.put(ledger.path() + ".log", log.substr(0, size));
    again([](const Ledger& other) { EXPECT_EQ(keys(other.mirror().unsettled), (Names{"c", "gone"})); });
  }
}

TEST_F(LedgerTest, ADamagedOneIsAsGoodAsLost) {
  ASSERT_TRUE(ledger.save(announced(), "t1"));
  const std::string whole = files.content(ledger.path());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    files.put(ledger.path(), damaged);
    again([&](const Ledger& other) { EXPECT_FALSE(other.is_known()) << i; });
  }
}

// A tree of which little changes at a time.
struct LargeLedgerTest : LedgerTest {
  LargeLedgerTest() {
    for (int i = 0; i < 100; ++i) tree.push_back(file(cat("k", 100 + i), "first"));
    Mirror whole = mirror_of(tree, "//data:d");
    whole.root = "root-0";
    whole.writer = "us-0";
    EXPECT_TRUE(ledger.save(whole, "t0"));
  }
  static ListedFile file(const std::string& key, const std::string& content) {
    return {key, cat("data/", key), "", content.size(), 0644, digest_of(content), {}};
  }
  // As a transfer does it, in its order.
  void announce(int number) {
    const MirrorChange changed = change(tree, ledger.mirror(), true);
    Announcement said = announcement(tree, ledger.take(), changed);
    said.mirror.target = "//data:d";
    said.mirror.root = cat("root-", number);
    said.mirror.writer = cat("us-", number);
    ASSERT_TRUE(ledger.begin(said.mirror.writer));
    ASSERT_TRUE(ledger.announced(std::move(said), cat("t", number)));
  }
  void send(const ListedFile& sent) {
    ASSERT_TRUE(ledger.begun(sent.key));
    ASSERT_TRUE(ledger.put({sent.key, sent.size, sent.content, "tag", {}}));
  }
  std::string log() { return files.content(ledger.path() + ".log"); }
  Listing tree;
};

TEST_F(LargeLedgerTest, AnAnnouncementOfLittleIsToldByTheLogAlone) {
  const std::string file_before = files.content(ledger.path());
  tree[7] = file("k107", "second");
  announce(1);
  EXPECT_EQ(files.content(ledger.path()), file_before);
  again([](const Ledger& other) {
    EXPECT_EQ(other.tag(), "t1");
    EXPECT_EQ(other.mirror().root, "root-1");
    EXPECT_EQ(find_object(other.mirror(), "k107"), nullptr);
    EXPECT_EQ(keys(other.mirror().unsettled), Names{"k107"});
    EXPECT_TRUE(other.wrote("us-1"));
  });
  send(tree[7]);
  again([](const Ledger& other) {
    EXPECT_EQ(find_object(other.mirror(), "k107")->content, digest_of("second"));
    EXPECT_TRUE(other.mirror().unsettled.empty());
  });
}

TEST_F(LargeLedgerTest, AMirrorThatWasLeftBehindByItsLogIsNeverTakenForWhatIsThere) {
  const std::string log_before = log();
  tree[7] = file("k107", "second");
  announce(1);
  send(tree[7]);
  const std::string log_now = log();
  const auto unknown_or_new = [&](const std::string& now, const std::string& what) {
    files.put(ledger.path() + ".log", now);
    again([&](const Ledger& other) {
      if (other.is_known()) {
        EXPECT_EQ(other.mirror().root, "root-1") << what;
      }
    });
  };
  for (std::size_t size = 0; size < log_now.size(); ++size) unknown_or_new(log_now.substr(0, size), "cut");
  for (std::size_t i = 0; i < log_now.size(); ++i) {
    std::string damaged = log_now;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    unknown_or_new(damaged, "damaged");
  }
  files.take_away(ledger.path() + ".log");
  again([](const Ledger& other) { EXPECT_FALSE(other.is_known()); });
  // A file that was written, and a kill before its log was.
  for (std::size_t i = 0; i < 50; ++i) tree[i] = file(tree[i].key, "third");
  announce(2);
  files.put(ledger.path() + ".log", log_before);
  again([](const Ledger& other) { EXPECT_FALSE(other.is_known()); });
}

TEST_F(LargeLedgerTest, AnyChangesInAnyOrderAreKnownAgain) {
  std::mt19937 dice(7);
  int files_written = 0;
  for (int turn = 1; turn <= 60; ++turn) {
    const std::string file_before = files.content(ledger.path());
    const std::size_t edits = dice() % (turn % 10 == 0 ? 40 : 4);
    for (std::size_t i = 0; i < edits; ++i) {
      const std::string key = cat("k", 100 + dice() % 120);
      const auto at =
          std::lower_bound(tree.begin(), tree.end(), key,
                           [](const ListedFile& each, const std::string& k) { return each.key < k; });
      const bool is_there = at != tree.end() && at->key == key;
      if (is_there && dice() % 3 == 0) {
        tree.erase(at);
      } else if (is_there) {
        *at = file(key, cat("content ", dice()));
      } else {
        tree.insert(at, file(key, cat("content ", dice())));
      }
    }
    announce(turn);
    if (files.content(ledger.path()) != file_before) ++files_written;
    const Listing sent = [&] {
      Listing unsettled;
      for (const ListedFile& each : tree) {
        if (find_object(ledger.mirror(), each.key) == nullptr) unsettled.push_back(each);
      }
      return unsettled;
    }();
    for (const ListedFile& each : sent) {
      if (dice() % 8 != 0) {
        send(each);
      } else {
        ASSERT_TRUE(ledger.begun(each.key));  // it was cut
      }
    }
    for (const UnsettledKey& each : Mirror(ledger.mirror()).unsettled) {
      if (each.what == Unsettled::kRemoving && dice() % 2 == 0) {
        ASSERT_TRUE(ledger.removed(each.key));
      }
    }
    ledger.settle();
    if (turn % 3 == 0) {
      ASSERT_TRUE(ledger.told(cat("told ", turn)));
    }
    Ledger other(files, "/cache", "place");
    ASSERT_TRUE(other.load());
    EXPECT_EQ(other.tag(), ledger.tag());
    ASSERT_EQ(encode(other.mirror()), encode(ledger.mirror())) << turn;
    if (turn % 5 == 0) {
      ASSERT_TRUE(ledger.load());  // the next process
    }
  }
  EXPECT_LT(files_written, 40);
}

TEST_F(LedgerTest, WhatIsNotedWhileItIsSavedStays) {
  ASSERT_TRUE(ledger.save(announced(), "t1"));
  ASSERT_TRUE(ledger.put({"b", 1, digest_of("2"), "", {}}));
  ledger.settle();
  Mirror now = ledger.mirror();
  ASSERT_TRUE(ledger.put({"c", 1, digest_of("3"), "", {}}));  // while that travels
  ASSERT_TRUE(ledger.save(now, "t2"));
  again([](const Ledger& other) { EXPECT_EQ(keys(other.mirror().unsettled), Names{"gone"}); });
}

TEST_F(LedgerTest, AFileOfAnotherFormatIsAsGoodAsLost) {
  ASSERT_TRUE(ledger.save(announced(), "t1"));
  std::string bytes = files.content(ledger.path());
  bytes.replace(0, 12, "tm-mirror-3\n");
  files.put(ledger.path(), bytes);
  again([](const Ledger& other) { EXPECT_FALSE(other.is_known()); });
}

// Two that were restored from one cache may be at work at once.
TEST_F(LedgerTest, InACopyOfTheCacheATransferIsSomebodyElses) {
  ASSERT_TRUE(ledger.load());
  ASSERT_TRUE(ledger.begin("us"));
  ASSERT_TRUE(ledger.announced({announced(), {}}, "t1"));
  ASSERT_TRUE(ledger.begun("b"));
  ASSERT_TRUE(ledger.note("b", "upload"));
  again([](const Ledger& other) {
    EXPECT_TRUE(other.wrote("us"));
    EXPECT_TRUE(other.is_open("b"));
    EXPECT_EQ(other.notes("b").size(), 1U);
  });
  const std::string name = ledger.path().substr(ledger.path().rfind('/'));
  for (const std::string ending : {"", ".log"})
    files.put(cat("/copy/mirrors", name, ending), files.content(ledger.path() + ending));
  Ledger copy(files, "/copy", "place");
  ASSERT_TRUE(copy.load());
  EXPECT_EQ(copy.tag(), "t1");
  EXPECT_FALSE(copy.wrote("us"));
  EXPECT_TRUE(copy.has_written());
  EXPECT_FALSE(copy.is_open("b"));
  EXPECT_TRUE(copy.notes("b").empty());
}

// It was listed, and never begun: what lies there is somebody else's, if anything does.
TEST_F(LedgerTest, WhatOurTransferNeverCameToIsNotOurs) {
  Mirror mirror = announced();
  mirror.unsettled.push_back(sending("replaced", "5"));
  mirror.unsettled.back().ours = {digest_of("4")};
  files.put("/proc/sys/kernel/random/boot_id", "this\n");
  ASSERT_TRUE(ledger.begin("us"));
  ASSERT_TRUE(ledger.beat({"this", 7, false}));
  ASSERT_TRUE(ledger.announced({mirror, {}}, "t1"));
  ASSERT_TRUE(ledger.begun("b"));
  again([](const Ledger& other) {
    EXPECT_EQ(keys(other.mirror().unsettled), (Names{"b", "gone", "replaced"}));
    EXPECT_TRUE(other.owes_settling(kSmall));
  });
  files.put("/proc/sys/kernel/random/boot_id", "next\n");
  again([](const Ledger& other) {
    EXPECT_EQ(other.mirror().unsettled.size(), 4U) << "who knows what a power cut took from the log";
  });
  mirror.writer = "another";
  ASSERT_TRUE(ledger.save(mirror, "t2"));
  again([](const Ledger& other) { EXPECT_EQ(other.mirror().unsettled.size(), 4U) << "who knows"; });
}

TEST_F(LedgerTest, WhatIsDoubtedStaysWhoseItWas) {
  Mirror mirror = announced();
  mirror.unsettled.clear();
  mirror.objects.push_back({"b", 1, digest_of("2"), "tag-b", {}, true});
  ASSERT_TRUE(ledger.save(mirror, "t1"));
  ledger.doubt({"a", "b"});
  EXPECT_TRUE(ledger.mirror().objects.empty());
  ASSERT_EQ(ledger.doubted().size(), 2U);
  EXPECT_TRUE(is_ours(ledger.mirror().unsettled[0], digest_of("1")));
  EXPECT_FALSE(is_ours(ledger.mirror().unsettled[1], digest_of("2"))) << "it was found";
}

// Others wrote it since: it is to be read before anything is done, and what was known is there for who heals.
TEST_F(LedgerTest, WhatIsForgottenIsKeptUntilAnotherIsRead) {
  Mirror mirror = announced();
  mirror.unsettled.clear();
  ASSERT_TRUE(ledger.save(mirror, "t1"));
  ASSERT_TRUE(ledger.forget());
  EXPECT_FALSE(ledger.is_known());
  again([](const Ledger& other) {
    EXPECT_NE(other.tag(), "t1");
    EXPECT_NE(other.mirror().root, "root");
    EXPECT_EQ(other.mirror().objects.size(), 1U);
  });
  mirror.objects[0].tag.clear();  // as others name it
  ASSERT_TRUE(ledger.save(mirror, "t2"));
  EXPECT_EQ(ledger.mirror().objects[0].tag, "tag-a") << "it is the same still";
}

TEST_F(LedgerTest, WhoseAnnouncementIsRefusedHasSentNothing) {
  ASSERT_TRUE(ledger.save({}, ""));
  Announcement said{ledger.take(), {}};
  said.mirror.writer = "us";
  ASSERT_TRUE(ledger.begin("us"));
  EXPECT_TRUE(ledger.has_written());
  ASSERT_TRUE(ledger.refused(std::move(said)));
  EXPECT_FALSE(ledger.has_written());
  again([](const Ledger& other) { EXPECT_FALSE(other.has_written()); });
}

// Of nothing, or of what was followed by another.
TEST_F(LedgerTest, WhatIsLostIsRecalledForWhomItIsOf) {
  Mirror mirror = announced();
  mirror.unsettled.clear();
  ASSERT_TRUE(ledger.save(mirror, "t1"));
  Mirror next = mirror;
  next.writer = "us again";
  next.objects.push_back({"b", 1, digest_of("2"), "", {}});
  ASSERT_TRUE(ledger.save(next, "t2"));
  const auto recalled_keys = [](const Ledger& by, const Mirror& seen, const std::string& target) {
    return keys(by.recall(seen, target, "").unsettled);
  };
  again([&](const Ledger& other) {
    EXPECT_EQ(recalled_keys(other, {}, "//data:d"), (Names{"a", "b"}));
    EXPECT_EQ(other.recall({}, "//data:d", "").target, "//data:d");
    EXPECT_EQ(recalled_keys(other, {}, "//data:another"), Names{});
    EXPECT_EQ(recalled_keys(other, mirror, "//data:d"), Names{"b"}) << "one of before";
    EXPECT_EQ(recalled_keys(other, next, "//data:d"), Names{});
    Mirror theirs = mirror;
    theirs.writer = "somebody else";
    EXPECT_EQ(recalled_keys(other, theirs, "//data:d"), Names{}) << "who may have removed it";
  });
}

TEST_F(LedgerTest, WhatWasRefusedIsNotRecalledAsSent) {
  Mirror mirror = announced();
  mirror.unsettled.clear();
  ASSERT_TRUE(ledger.save(mirror, "t1"));
  Announcement said{ledger.take(), {}};
  said.mirror.writer = "us again";
  said.mirror.unsettled = {sending("b", "2"), sending("c", "3"), removing("gone", "4")};
  said.mirror.unsettled[0].ours = {digest_of("old")};
  ASSERT_TRUE(ledger.begin("us again"));
  ASSERT_TRUE(ledger.refused(std::move(said)));
  const Mirror recalled = ledger.recall({}, "//data:d", "");
  ASSERT_EQ(keys(recalled.unsettled), (Names{"a", "b", "gone"}));
  EXPECT_TRUE(is_ours(recalled.unsettled[1], digest_of("old")));
  EXPECT_FALSE(is_ours(recalled.unsettled[1], digest_of("2"))) << "it was never sent";
}

// What a cut may leave on its way is known to the next process, whatever was written anew since.
TEST_F(LedgerTest, WhatMayStillBeOnItsWayIsKnownAgain) {
  ASSERT_TRUE(ledger.begin("us"));
  ASSERT_TRUE(ledger.telling());
  ASSERT_TRUE(ledger.beat({"boot", 7, false}));
  again([](const Ledger& other) {
    EXPECT_TRUE(other.was_telling());
    EXPECT_EQ(other.last_beat().value().steady_ns, 7);
  });
  ledger.take();
  ASSERT_TRUE(ledger.announced({announced(), {}}, "t1"));
  ASSERT_TRUE(ledger.again({"b", "c"}));
  ASSERT_TRUE(ledger.again({"b"}));
  again([](const Ledger& other) {
    EXPECT_FALSE(other.was_telling());
    EXPECT_EQ(other.asked_again(), (std::set<std::string>{"b", "c"}));
  });
  ASSERT_TRUE(ledger.telling());
  again([](const Ledger& other) { EXPECT_TRUE(other.was_telling()); });
  ASSERT_TRUE(ledger.beat({"boot", 9, true}));
  ASSERT_TRUE(ledger.told("t2"));
  again([](const Ledger& other) {
    EXPECT_FALSE(other.was_telling());
    EXPECT_EQ(other.asked_again(), (std::set<std::string>{"b", "c"}));
    EXPECT_TRUE(other.last_beat().value().is_last);
  });
  ASSERT_TRUE(ledger.ended_well());
  again([](const Ledger& other) { EXPECT_TRUE(other.asked_again().empty()); });
}

TEST_F(LedgerTest, APutOfWhichNobodyHeardIsNotForgottenForALaterOne) {
  ASSERT_TRUE(ledger.begin("us"));
  ledger.take();
  ASSERT_TRUE(ledger.announced({announced(), {}}, "t1"));
  ASSERT_TRUE(ledger.telling());  // no answer
  ASSERT_TRUE(ledger.telling());
  ASSERT_TRUE(ledger.told("t2"));
  again([](const Ledger& other) { EXPECT_TRUE(other.was_telling()); });
}

TEST_F(LedgerTest, ThePlacesOfThoseWrittenLastAreKnown) {
  ASSERT_TRUE(ledger.save(announced(), "t1"));
  Ledger other(files, "/cache", "another place");
  ASSERT_TRUE(other.save(announced(), "t2"));
  std::vector<std::string> places = *latest_places(files, "/cache", 8);
  std::sort(places.begin(), places.end());
  EXPECT_EQ(places, (Names{"another place", "place"}));
  EXPECT_EQ(latest_places(files, "/cache", 1)->size(), 1U);
  EXPECT_TRUE(latest_places(files, "/none", 8)->empty());
}

TEST_F(LedgerTest, WhatIsKnownOfOldSnapshotsIsCollected) {
  ASSERT_TRUE(ledger.save(announced(), "t1"));
  const auto snapshot = [&](int i) { return cat("s3://bucket\n\nsets/", i, "\nsnapshot"); };
  Mirror whole = announced();
  whole.unsettled.clear();
  ASSERT_TRUE(Ledger(files, "/cache", snapshot(-1)).save(announced(), "t"));  // it was cut
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Ledger(files, "/cache", snapshot(i)).save(whole, "t"));
  EXPECT_GT(*collect_snapshots(files, "/cache", "\nsnapshot", 8), 0U);
  EXPECT_EQ(*collect_snapshots(files, "/cache", "\nsnapshot", 8), 0U);
  std::size_t known = 0;
  for (int i = 0; i < 10; ++i) {
    Ledger one(files, "/cache", snapshot(i));
    ASSERT_TRUE(one.load());
    known += one.is_known() ? 1U : 0U;
  }
  EXPECT_EQ(known, 8U);
  Ledger cut(files, "/cache", snapshot(-1));
  ASSERT_TRUE(cut.load());
  EXPECT_TRUE(cut.is_known());
  again([](const Ledger& other) { EXPECT_TRUE(other.is_known()); });
}

TEST_F(LedgerTest, OneSmallObjectAloneIsNotToldOf) {
  Mirror one = announced();
  one.unsettled = {sending("b", "2")};
  ASSERT_TRUE(ledger.save(one, "t1"));
  ASSERT_TRUE(ledger.put({"b", 1, digest_of("2"), "", {}}));
  ledger.settle();
  EXPECT_FALSE(ledger.owes_settling(kSmall));
  ASSERT_TRUE(ledger.save(one, "t1"));
  ASSERT_TRUE(ledger.put({"b", 1, digest_of("2"), "", {digest_of("x"), digest_of("y")}}));
  ledger.settle();
  EXPECT_TRUE(ledger.owes_settling(kSmall)) << "nobody else could know its chunks";
  ASSERT_TRUE(ledger.save(one, "t1"));
  ASSERT_TRUE(ledger.put({"b", 1, digest_of("2"), "", {}, true}));
  ledger.settle();
  EXPECT_TRUE(ledger.owes_settling(kSmall)) << "whoever asks for it does not hear what it is";
}

}  // namespace
}  // namespace trainmake
