#include <algorithm>
#include <random>
#include <tuple>

#include "rules/data/ledger.h"
#include "rules/data/mirror.h"
#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

struct DataWorld : RuleWorld {
  TargetId mirrored = add("data", {{"files", glob("data/**")}, {"store", value(std::string("one"))}});
  std::vector<std::string> objects() {
    std::vector<std::string> found;
    for (const std::string& path : files.all_files()) {
      if (path.starts_with("w/bucket-one/") && path.find(".trainmake") == std::string::npos)
        found.push_back(path.substr(13));
    }
    return found;
  }
};

using Names = std::vector<std::string>;

TEST(Data, WithoutAStoreNothingIsCopied) {
  RuleWorld world;
  const TargetId id = world.add("data", {{"files", RuleWorld::glob("data/**")}});
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(world.tally.uploaded_objects, 0U);
  EXPECT_TRUE(world.holds(id));
}

TEST(Data, EveryFileIsAnObjectUnderItsKey) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects(), (Names{"data0/x.txt", "data0/y.txt"}));
  EXPECT_EQ(world.tally.uploaded_objects, 2U);
}

TEST(Data, OnlyWhatChangedTravels) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/data/x.txt", "changed\n");
  EXPECT_EQ(world.describe(world.mirrored)->work.objects, 1U);
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.tally.uploaded_objects, 3U);
  EXPECT_EQ(world.files.content("/w/bucket-one/data0/x.txt"), "changed\n");
}

TEST(Data, WhatIsGoneIsRemovedAndOthersObjectsAreNot) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/bucket-one/data0/theirs.txt", "not ours");
  world.files.take_away("/w/data/y.txt");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects(), (Names{"data0/theirs.txt", "data0/x.txt"}));
  EXPECT_EQ(world.tally.deleted_objects, 1U);
}

// Of a job that reads the mirror and ends after so many looks.
struct ReadersWorld : DataWorld {
  int looks_left = 3;
  std::vector<std::string> asked;
  DataRule guarded{{host, workspace, space, rooms, blobs, *file_sets, tally, true, true,
                    [this](const std::string& where, const Doing&) -> Result<std::optional<Run>> {
                      asked.push_back(where);
                      if (looks_left-- <= 0) return std::optional<Run>();
                      Run run;
                      run.id = "0123456789ab";
                      run.label = *parse_label("job:j", "");
                      return std::optional(run);
                    }}};
  Result<Done> send(TargetId id, bool wait = true) {
    TRY_ASSIGN(const Description description, guarded.describe(subject(id)));
    const Doing doing{description.manifest.fingerprint(),
                      stop.get_token(),
                      [](const Event&) {},
                      tally,
                      [](const std::function<void()>& work) { work(); },
                      false,
                      wait};
    return guarded.execute(subject(id), description, doing);
  }
};

TEST(Data, WhatAJobReadsIsNotChangedUnderIt) {
  ReadersWorld world;
  const auto refused = world.send(world.mirrored, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().blame, Blame::kBusy);
  EXPECT_NE(refused.error().hint.find("snapshot = true"), std::string::npos);
  EXPECT_TRUE(world.objects().empty());
  EXPECT_EQ(world.asked, (Names{"store:one/data0"}));
  ASSERT_TRUE(world.send(world.mirrored));
  EXPECT_EQ(world.looks_left, -1) << "it waited for its end";
  EXPECT_EQ(world.objects().size(), 2U);
  world.asked.clear();
  ASSERT_TRUE(world.send(world.mirrored));
  EXPECT_TRUE(world.asked.empty()) << "nothing would change";
}

TEST(Data, ASnapshotIsNobodysYet) {
  ReadersWorld world;
  const TargetId id = world.add("data", {{"files", RuleWorld::glob("data/**")},
                                         {"snapshot", RuleWorld::value(true)},
                                         {"store", RuleWorld::value(std::string("one"))}});
  ASSERT_TRUE(world.send(id, false));
  EXPECT_TRUE(world.asked.empty());
}

TEST(Data, BeforeAJobReadsItInItsStoreItIsLookedAt) {
  DataWorld world;
  const auto done = world.execute(world.mirrored);
  ASSERT_TRUE(done);
  const std::string root = done->artifacts.front().identity;
  const Target& target = world.graph[world.mirrored];
  EXPECT_TRUE(world.data.check_stored(target, root));
  EXPECT_FALSE(world.data.check_stored(target, "another"));
  for (const std::string& path : world.files.all_files()) {
    if (path.starts_with("w/bucket-one/")) world.files.take_away("/" + path);
  }
  const auto emptied = world.data.check_stored(target, root);
  ASSERT_FALSE(emptied);
  EXPECT_NE(emptied.error().message.find("somebody emptied it"), std::string::npos);
}

TEST(Data, WithoutPruneEverythingStays) {
  DataWorld world;
  const TargetId id = world.add("data", {{"files", RuleWorld::glob("data/**")},
                                         {"store", RuleWorld::value(std::string("one"))},
                                         {"prune", RuleWorld::value(false)}});
  ASSERT_TRUE(world.execute(id));
  world.files.take_away("/w/data/y.txt");
  ASSERT_TRUE(world.execute(id));
  EXPECT_EQ(world.objects(), (Names{"data1/x.txt", "data1/y.txt"}));
}

struct FoldersWorld : RuleWorld {
  TargetId id =
      add("data",
          {{"files", glob("data/**")}, {"store", value(std::string("one"))}, {"empty_folders", value(true)}});
  bool is_there(const std::string& key) { return files.has("/w/bucket-one/data0/" + key); }
};

TEST(Data, EmptyFoldersAreKeptWhenAsked) {
  FoldersWorld world;
  world.files.put_folder("/w/data/a/empty");
  const Description described = *world.describe(world.id);
  EXPECT_EQ(described.work.objects, 3U);
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_TRUE(world.is_there("a/empty"));
  EXPECT_EQ(world.tally.uploaded_objects, 3U);
  EXPECT_TRUE(world.holds(world.id));
  EXPECT_EQ(world.describe(world.id)->work.objects, 0U);
  world.files.put_folder("/w/data/b");
  EXPECT_NE(world.describe(world.id)->manifest.fingerprint(), described.manifest.fingerprint());
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_TRUE(world.is_there("b"));
}

TEST(Data, WithoutBeingAskedEmptyFoldersAreNothing) {
  DataWorld world;
  const Digest128 before = world.describe(world.mirrored)->manifest.fingerprint();
  world.files.put_folder("/w/data/empty");
  EXPECT_EQ(world.describe(world.mirrored)->manifest.fingerprint(), before);
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_FALSE(world.files.has("/w/bucket-one/data0/empty"));
}

TEST(Data, AnEmptyFolderThatIsGoneIsPruned) {
  FoldersWorld world;
  world.files.put_folder("/w/data/a");
  ASSERT_TRUE(world.execute(world.id));
  world.files.take_away("/w/data/a");
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_FALSE(world.is_there("a"));
  EXPECT_EQ(world.tally.deleted_objects, 1U);
}

TEST(Data, AFolderThatBecomesEmptyStays) {
  FoldersWorld world;
  world.files.put("/w/data/a/f", "f");
  ASSERT_TRUE(world.execute(world.id));
  world.files.take_away("/w/data/a/f");
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_TRUE(world.is_there("a"));
  EXPECT_FALSE(world.is_there("a/f"));
  world.files.put("/w/data/a/g", "g");
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_EQ(world.files.content("/w/bucket-one/data0/a/g"), "g");
}

TEST(Data, AFileAndAnEmptyFolderTakeEachOthersPlace) {
  FoldersWorld world;
  world.files.put("/w/data/a", "a file");
  ASSERT_TRUE(world.execute(world.id));
  world.files.take_away("/w/data/a");
  world.files.put_folder("/w/data/a");
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_TRUE(world.files.look("/w/bucket-one/data0/a")->is(FileKind::kFolder));
  world.files.take_away("/w/data/a");
  world.files.put("/w/data/a", "a file");
  ASSERT_TRUE(world.execute(world.id));
  EXPECT_EQ(world.files.content("/w/bucket-one/data0/a"), "a file");
}

TEST(Data, AnEmptiedStoreIsNoticed) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_TRUE(world.holds(world.mirrored));
  ASSERT_TRUE(world.files.remove("/w/bucket-one"));
  EXPECT_FALSE(world.holds(world.mirrored));
}

TEST(Data, ARemovalThatWasCutIsFinishedNextTime) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.take_away("/w/data/y.txt");
  world.files.refuse("remove /w/bucket-one/data0/y.txt", 5);
  EXPECT_FALSE(world.execute(world.mirrored));
  world.files.refuse("remove /w/bucket-one/data0/y.txt", 0);
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects(), Names{"data0/x.txt"});
}

TEST(Data, AFileThatChangesAsItIsSentIsNeverAnObject) {
  DataWorld world;
  const Description description = *world.describe(world.mirrored);
  world.files.put("/w/data/x.txt", "other\n");
  EXPECT_FALSE(world.execute(world.mirrored, description));
  EXPECT_EQ(std::ranges::count(world.objects(), "data0/x.txt"), 0);
}

TEST(Data, AnotherPrefixIsAnotherPlace) {
  RuleWorld world;
  const auto at = [&](const char* prefix) {
    return std::map<std::string, Value>{{"files", RuleWorld::glob("data/**")},
                                        {"prefix", RuleWorld::value(std::string(prefix))},
                                        {"store", RuleWorld::value(std::string("one"))}};
  };
  const TargetId id = world.add("data", at("old"));
  ASSERT_TRUE(world.execute(id));
  world.graph.targets[id].attributes = *RuleWorld::table(at("new")).table();
  EXPECT_FALSE(world.holds(id));
  ASSERT_TRUE(world.execute(id));
  EXPECT_TRUE(world.files.has("/w/bucket-one/new/x.txt"));
}

TEST(Data, TwoTargetsOfOnePlaceAreAnError) {
  RuleWorld world;
  const std::map<std::string, Value> attributes = {{"files", RuleWorld::glob("data/**")},
                                                   {"prefix", RuleWorld::value(std::string("same"))},
                                                   {"store", RuleWorld::value(std::string("one"))}};
  ASSERT_TRUE(world.execute(world.add("data", attributes)));
  const Result<Description> description = world.describe(world.add("data", attributes));
  ASSERT_FALSE(description);
  EXPECT_EQ(description.error().blame, Blame::kUser);
  RuleWorld later;  // of another run, which knows only what the store says
  later.files.put("/w/bucket-one/.trainmake/same/.mirror.json",
                  world.files.content("/w/bucket-one/.trainmake/same/.mirror.json"));
  later.add("code", {});
  EXPECT_FALSE(later.describe(later.add("data", attributes)));
}

TEST(Data, AnUnknownStoreIsToldWithANearOne) {
  RuleWorld world;
  const Result<Description> description = world.describe(world.add(
      "data", {{"files", RuleWorld::glob("data/**")}, {"store", RuleWorld::value(std::string("onee"))}}));
  ASSERT_FALSE(description);
  EXPECT_NE(description.error().hint.find("`one`"), std::string::npos);
}

Listing listing(const std::vector<std::pair<std::string, std::string>>& files) {
  Listing made;
  for (const auto& [key, content] : files)
    made.push_back({key, key, "", content.size(), 0644, digest_of(content), {}});
  return made;
}

Mirror mirror_of(const Listing& listing, std::string label) {
  Mirror mirror{std::move(label), tree_identity(listing, false).hex(), "", {}, {}};
  for (const ListedFile& file : listing)
    mirror.objects.push_back({file.key, file.size, file.content, "", {}});
  return mirror;
}

Names keys(const std::vector<UnsettledKey>& unsettled) {
  Names names;
  for (const UnsettledKey& each : unsettled) names.push_back(each.key);
  return names;
}

TEST(Mirror, ReadsBackAsItWasWritten) {
  Mirror mirror = mirror_of(listing({{std::string("a\xff\n", 3), "1"}, {"b ü", "2"}}), "//data:d");
  mirror.writer = "somebody";
  mirror.unsettled = {{"\xfe", 3, digest_of("new")}, {"old", 0, std::nullopt}};
  std::sort(mirror.unsettled.begin(), mirror.unsettled.end(),
            [](const UnsettledKey& a, const UnsettledKey& b) { return a.key < b.key; });
  mirror.objects[1].size = kWorthCopying;
  mirror.objects[1].tag = "a \"tag\"";
  mirror.objects[1].chunks = {digest_of("1"), digest_of("2")};
  for (const std::optional<Mirror>& back :
       {mirror_from_json(to_json(mirror)), decode_mirror(encode(mirror))}) {
    ASSERT_TRUE(back);
    EXPECT_EQ(std::tie(back->root, back->target, back->writer),
              std::tie(mirror.root, mirror.target, mirror.writer));
    EXPECT_EQ(keys(back->unsettled), keys(mirror.unsettled));
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(back->unsettled[i].content, mirror.unsettled[i].content);
      EXPECT_EQ(back->unsettled[i].size, mirror.unsettled[i].size);
    }
    ASSERT_EQ(back->objects.size(), 2U);
    EXPECT_EQ(back->objects[0].key, mirror.objects[0].key);
    EXPECT_EQ(back->objects[1].content, mirror.objects[1].content);
    EXPECT_EQ(back->objects[1].tag, mirror.objects[1].tag);
    EXPECT_EQ(back->objects[1].chunks, mirror.objects[1].chunks);
  }
}

TEST(Mirror, DamagedTextIsNone) {
  const std::string whole = to_json(mirror_of(listing({{"a", "1"}, {"b", "2"}}), "//data:d"));
  ASSERT_TRUE(mirror_from_json(whole));
  for (std::size_t size = 0; size + 2 < whole.size(); ++size)
    EXPECT_FALSE(mirror_from_json(whole.substr(0, size))) << size;
  for (const char* text :
       {"", "{}", "[]", "{\"format\":3}", R"({"format":2,"root":"x","unsettled":[],"objects":[{}]})",
        R"({"format":2,"unsettled":[],"objects":[{"key":1,"size":2,"xxh3":"z"}]})",
        R"({"format":2,"unsettled":[],"objects":[[[[[[[[]]]]]]]]})"}) {
    EXPECT_FALSE(mirror_from_json(text)) << text;
  }
  const std::string bytes = encode(mirror_of(listing({{"a", "1"}, {"b", "2"}}), "//data:d"));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_mirror(bytes.substr(0, size))) << size;
}

TEST(Mirror, KeysThatNoTargetCanHaveAreDamage) {
  const std::string object = R"({"key":"%","size":2,"xxh3":"00000000000000000000000000000000"})";
  const auto mirror = [&](const std::string& objects, const std::string& unsettled) {
    return mirror_from_json(cat(R"({"format":2,"target":"t","root":"x","objects":[)", objects,
                                R"(],"unsettled":[)", unsettled, "]}"));
  };
  const auto with = [&](const std::string& key) {
    return std::string(object).replace(object.find('%'), 1, key);
  };
  ASSERT_TRUE(mirror(cat(with("a"), ",", with("b/c")), R"({"key":"b/d"})"));
  EXPECT_FALSE(mirror(cat(with("b"), ",", with("a")), "")) << "not in order";
  for (const std::string key : {"", "/etc/passwd", "../up", "a/../../b", "a//b", ".trainmake/other.json"}) {
    EXPECT_FALSE(mirror(with(key), "")) << key;
    EXPECT_FALSE(mirror("", cat("{\"key\":\"", key, "\"}"))) << key;
  }
}

TEST(Mirror, SaysWhatToSendAndWhatToRemove) {
  const Listing now = listing({{"a", "1"}, {"b", "2"}, {"d", "4"}});
  Mirror there = mirror_of(listing({{"a", "1"}, {"b", "old"}, {"c", "3"}, {"d/e", "5"}}), "//data:d");
  there.unsettled = {{"b", 1, digest_of("2")}, {"f", 0, std::nullopt}};
  const MirrorChange changed = change(now, there, true);
  ASSERT_EQ(changed.send.size(), 2U);
  EXPECT_EQ(changed.send[0]->key, "b");
  EXPECT_EQ(changed.send[1]->key, "d");
  EXPECT_EQ(changed.remove, (Names{"c", "f"}));
  EXPECT_EQ(changed.make_way, Names{"d/e"});
  EXPECT_TRUE(change(now, there, false).remove.empty());
}

TEST(Mirror, AnAnnouncementSaysWhatIsCertain) {
  const Listing now = listing({{"a", "1"}, {"b", "2"}, {"d", "4"}});
  Mirror there = mirror_of(listing({{"a", "1"}, {"b", "old"}, {"c", "3"}}), "//data:d");
  there.objects[0].tag = "tag";
  const auto [said, gone] = announcement(now, there, change(now, there, true));
  EXPECT_EQ(gone, (Names{"b", "c"}));
  ASSERT_EQ(said.objects.size(), 1U);
  EXPECT_EQ(said.objects[0].tag, "tag");
  EXPECT_EQ(keys(said.unsettled), (Names{"b", "c", "d"}));
  EXPECT_EQ(said.unsettled[0].content, digest_of("2"));
  EXPECT_FALSE(said.unsettled[1].content);
  const Listing before = listing({{"b", "old"}});
  const MirrorChange back = change(before, said, true);
  ASSERT_EQ(back.send.size(), 1U) << "nobody knows whether it was overwritten";
  EXPECT_EQ(back.remove, (Names{"a", "c", "d"}));
}

struct LedgerTest : testing::Test {
  MemFileSystem files;
  Ledger ledger{files, "/cache", "place"};

  static Mirror announced() {
    Mirror mirror;
    mirror.target = "//data:d";
    mirror.root = "root";
    mirror.writer = "us";
    mirror.objects = {{"a", 1, digest_of("1"), "tag-a", {}}};
    mirror.unsettled = {{"b", 1, digest_of("2")}, {"c", 1, digest_of("3")}, {"gone", 0, std::nullopt}};
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
    EXPECT_TRUE(other.owes_settling());
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

TEST_F(LargeLedgerTest, AFileOfBeforeIsReadWithAndWithoutALog) {
  std::string bytes = files.content(ledger.path());
  bytes.replace(0, 12, "tm-mirror-1\n");
  files.put(ledger.path(), bytes);
  again([](const Ledger& other) { EXPECT_EQ(other.mirror().objects.size(), 100U); });
  files.take_away(ledger.path() + ".log");
  ASSERT_TRUE(ledger.load());
  EXPECT_EQ(ledger.mirror().root, "root-0");
  tree[7] = file("k107", "second");
  announce(1);
  EXPECT_TRUE(files.content(ledger.path()).starts_with("tm-mirror-2\n")) << "older programs know no such log";
  again([](const Ledger& other) { EXPECT_EQ(other.mirror().root, "root-1"); });
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
      if (dice() % 8 != 0) send(each);  // or it was cut
    }
    for (const UnsettledKey& each : Mirror(ledger.mirror()).unsettled) {
      if (!each.content && dice() % 2 == 0) {
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

TEST_F(LedgerTest, OneSmallObjectAloneIsNotToldOf) {
  Mirror one = announced();
  one.unsettled = {{"b", 1, digest_of("2")}};
  ASSERT_TRUE(ledger.save(one, "t1"));
  ASSERT_TRUE(ledger.put({"b", 1, digest_of("2"), "", {}}));
  ledger.settle();
  EXPECT_FALSE(ledger.owes_settling());
  ASSERT_TRUE(ledger.save(one, "t1"));
  ASSERT_TRUE(ledger.put({"b", 1, digest_of("2"), "", {digest_of("x"), digest_of("y")}}));
  ledger.settle();
  EXPECT_TRUE(ledger.owes_settling()) << "nobody else could know its chunks";
}

TEST(Data, ACutTransferIsNotTakenForWhatWasThereBefore) {
  for (int cut = 1; cut <= 4; ++cut) {
    DataWorld world;
    ASSERT_TRUE(world.execute(world.mirrored));
    const std::string before = world.files.content("/w/data/x.txt");
    world.files.put("/w/data/x.txt", "changed\n");
    world.files.take_away("/w/data/y.txt");
    world.files.fail_nth("commit", cut, EIO);
    const bool whole = world.execute(world.mirrored).has_value();
    world.files.put("/w/data/x.txt", before);
    world.files.put("/w/data/y.txt", "y again\n");
    ASSERT_TRUE(world.execute(world.mirrored));
    EXPECT_EQ(world.files.content("/w/bucket-one/data0/x.txt"), before) << cut << whole;
    EXPECT_EQ(world.files.content("/w/bucket-one/data0/y.txt"), "y again\n") << cut << whole;
  }
}

// `outer` has its place around that of `inner`, and a key in it.
struct NestedWorld : DataWorld {
  TargetId outer = add("data", {{"files", glob("in/**")},
                                {"store", value(std::string("one"))},
                                {"prefix", value(std::string("p/q"))}});
  TargetId inner = add("data", {{"files", glob("data/**")},
                                {"store", value(std::string("one"))},
                                {"prefix", value(std::string("p/q/z"))}});
};

TEST(Data, PlacesMayNestWhileTheirKeysDoNotMeet) {
  NestedWorld world;
  world.files.put("/w/in/zz/f", "of outer");
  ASSERT_TRUE(world.execute(world.outer));
  ASSERT_TRUE(world.execute(world.inner));
  world.files.put("/w/in/zz/g", "of outer");
  EXPECT_TRUE(world.execute(world.outer));
}

TEST(Data, KeysInThePlaceOfAnotherAreRefusedInOneRun) {
  for (const bool outer_first : {true, false}) {
    NestedWorld world;
    world.files.put("/w/in/z/f", "of outer");
    EXPECT_TRUE(world.describe(outer_first ? world.outer : world.inner));
    const auto refused = world.describe(outer_first ? world.inner : world.outer);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("`one/p/q/z`"), std::string::npos);
  }
}

TEST(Data, KeysInThePlaceOfAnotherAreRefusedAcrossRuns) {
  for (const bool outer_first : {true, false}) {
    NestedWorld first;
    first.files.put("/w/in/z/f", "of outer");
    ASSERT_TRUE(first.execute(outer_first ? first.outer : first.inner));
    NestedWorld second;
    second.files.put("/w/in/z/f", "of outer");
    for (const std::string& path : first.files.all_files()) {
      if (path.starts_with("w/bucket-one/")) second.files.put("/" + path, first.files.content("/" + path));
    }
    const auto before = second.objects();
    EXPECT_FALSE(second.execute(outer_first ? second.inner : second.outer));
    EXPECT_EQ(second.objects(), before);
  }
}

// A target that was sent from `prefix` in an earlier run.
struct MovedWorld : RuleWorld {
  TargetId at(const std::string& prefix, const std::string& pattern = "data/**", const char* root = "data") {
    return add("data", {{"files", glob(pattern)},
                        {"store", value(std::string("one"))},
                        {"root", value(std::string(root))},
                        {"prefix", value(prefix)}});
  }
  // As another run would see it.
  void move(TargetId id, const std::string& prefix) {
    auto& fields = graph.targets[id].attributes.fields;
    for (auto& [name, value] : fields) {
      if (name == "prefix") value = RuleWorld::value(prefix);
    }
  }
  bool sends(TargetId id) {
    DataRule another{{host, workspace, space, rooms, blobs, *file_sets, tally}};
    const auto description = another.describe(subject(id));
    if (!description) return false;
    const Doing doing{{},   {}, [](const Event&) {}, tally, [](const std::function<void()>& work) { work(); },
                      false};
    return another.execute(subject(id), *description, doing).has_value();
  }
};

TEST(Data, APlaceThatWasItsOwnIsNotWrittenOver) {
  MovedWorld world;
  world.files.put("/w/data/c/1", "one");
  const TargetId moved = world.at("p");
  ASSERT_TRUE(world.sends(moved));
  world.move(moved, "p/c");
  EXPECT_FALSE(world.sends(moved)) << "its key c/1 may be wanted again";
  world.move(moved, "p/q");
  ASSERT_TRUE(world.sends(moved));
  world.move(moved, "p");
  EXPECT_TRUE(world.sends(moved)) << "their keys do not meet";
  world.files.put("/w/data/q/1", "one");
  EXPECT_FALSE(world.sends(moved));
}

TEST(Data, AFileAtANeighboursPlaceMeetsItToo) {
  MovedWorld world;
  world.files.put("/w/data/q", "a file");
  const TargetId outer = world.at("p");
  world.files.fail_nth("commit", 3, EIO);  // of `q`: nobody knows whether it is there
  EXPECT_FALSE(world.sends(outer));
  const TargetId inner = world.at("p/q", "code/**", "code");
  EXPECT_FALSE(world.sends(inner));
  world.files.take_away("/w/data/q");
  ASSERT_TRUE(world.sends(outer));
  ASSERT_TRUE(world.sends(inner));
  world.files.put("/w/data/q", "a file");
  EXPECT_FALSE(world.sends(outer));
}

TEST(Data, WhatIsOursHasNoNameThatAPlaceMayHave) {
  MovedWorld world;
  for (const char* prefix : {"x", "x.json/y", "x.lock/y", "x/lock"}) {
    world.files.put("/w/data/z/f", prefix);
    EXPECT_TRUE(world.sends(world.at(prefix))) << prefix;
  }
  for (const char* prefix : {".lock/y", "x/.mirror.json", "x/.lock/y"})
    EXPECT_FALSE(world.sends(world.at(prefix))) << prefix;
}

TEST(Data, EveryNeighbourIsLookedAt) {
  MovedWorld world;
  const TargetId other = world.at("p/c");
  ASSERT_TRUE(world.sends(other));
  const TargetId moved = world.at("p/z");
  ASSERT_TRUE(world.sends(moved));
  world.files.put("/w/data/c/1", "one");
  world.move(moved, "p");
  EXPECT_FALSE(world.sends(moved));
}

TEST(Data, ANeighbourThatWasCutIsOneToo) {
  MovedWorld world;
  world.files.put("/w/data/z/f", "of outer");
  const TargetId outer = world.at("p");
  world.files.fail_nth("commit", 3, EIO);  // after the listing and the manifest object
  EXPECT_FALSE(world.sends(outer));
  EXPECT_FALSE(world.sends(world.at("p/z", "code/**", "code")));
}

TEST(Data, AStoreIsNoPlace) {
  for (const char* prefix : {"", ".", "./"}) {
    MovedWorld world;
    EXPECT_FALSE(world.sends(world.at(prefix))) << prefix;
  }
}

TEST(Data, WithoutWaitingABusyPlaceIsToldOf) {
  for (const char* lock : {"/w/bucket-one/.trainmake/p/.lock", "/w/bucket-one/.trainmake/.lock"}) {
    MovedWorld world;
    world.files.locked.insert(lock);
    const TargetId id = world.at("p");
    const auto description = world.describe(id);
    Doing doing{{}, {}, [](const Event&) {}, world.tally, [](const std::function<void()>& work) { work(); }};
    doing.wait = false;
    const auto refused = world.data.execute(world.subject(id), *description, doing);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().blame, Blame::kBusy);
    world.files.locked.clear();
    EXPECT_TRUE(world.data.execute(world.subject(id), *description, doing));
  }
}

TEST(Data, AStopIsHeardInTheMiddleOfAFile) {
  MovedWorld world;
  world.files.put("/w/data/x.txt", std::string(2'000'000, 'x'));
  const TargetId id = world.at("p");
  const auto description = world.describe(id);
  std::stop_source stop;
  world.files.on_open = [&](const std::string& path) {
    if (path == "/w/data/x.txt") stop.request_stop();
  };
  const Doing doing{{},
                    stop.get_token(),
                    [](const Event&) {},
                    world.tally,
                    [](const std::function<void()>& work) { work(); }};
  const auto ended = world.data.execute(world.subject(id), *description, doing);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().blame, Blame::kInterrupted);
  EXPECT_FALSE(world.files.has("/w/bucket-one/p/x.txt"));
}

TEST(Data, AnInterruptedTransferGoesOnWhereItWas) {
  DataWorld world;
  for (int i = 0; i < 10; ++i) world.files.put(cat("/w/data/more", i), "more");
  world.files.fail_nth("commit", 10, EIO);
  EXPECT_FALSE(world.execute(world.mirrored));
  const std::uint64_t sent = world.tally.uploaded_objects.exchange(0);
  EXPECT_GT(sent, 3U);
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.tally.uploaded_objects, 12U - sent);
}

TEST(Data, AForcedOneSendsEverythingAgain) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/bucket-one/data0/x.txt", "broken");
  world.files.take_away("/w/bucket-one/data0/y.txt");
  world.afresh = true;
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.files.content("/w/bucket-one/data0/x.txt"), "xxx\n");
  EXPECT_EQ(world.objects(), (Names{"data0/x.txt", "data0/y.txt"}));
}

TEST(Data, AFileMayBecomeAFolderAndAFolderAFile) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.take_away("/w/data/x.txt");
  world.files.put("/w/data/x.txt/deep", "deep");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects(), (Names{"data0/x.txt/deep", "data0/y.txt"}));
  world.files.take_away("/w/data/x.txt");
  world.files.put("/w/data/x.txt", "flat");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects(), (Names{"data0/x.txt", "data0/y.txt"}));
}

TEST(Data, APrefixIsOnePlaceHoweverItIsWritten) {
  DataWorld world;
  const auto with = [&](const std::string& attribute, const std::string& path) {
    return world.add("data", {{"files", RuleWorld::glob("data/**")},
                              {"store", RuleWorld::value(std::string("one"))},
                              {attribute, RuleWorld::value(path)}});
  };
  EXPECT_TRUE(world.describe(with("prefix", "sets")));
  EXPECT_FALSE(world.describe(with("prefix", "./sets/"))) << "another target has it";
  for (const char* wrong : {"../labels", "/abs", ".trainmake", ".trainmake/x", "a/../.trainmake"})
    EXPECT_FALSE(world.describe(with("prefix", wrong))) << wrong;
  for (const char* wrong : {"../up", "/abs", ".trainmake", ".trainmake/x", "a/../../b"})
    EXPECT_FALSE(world.describe(with("dest", wrong))) << wrong;
}

TEST(Data, WhatIsThereIsNotToldAgain) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.take_log();
  ASSERT_TRUE(world.execute(world.mirrored));
  for (const std::string& line : world.files.take_log())
    EXPECT_EQ(line.find("create /w/bucket-one"), std::string::npos) << line;
}

}  // namespace
}  // namespace trainmake
