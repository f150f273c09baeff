#include <algorithm>
#include <cerrno>

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

TEST(Data, WhatIsExcludedIsLeftOutOfEveryGlob) {
  DataWorld world;
  world.files.put("/w/data/z.txt", "zzz\n");
  const auto keys = [&](const Value& exclude) {
    const TargetId id = world.add(
        "data", {{"exclude", exclude},
                 {"files", RuleWorld::value(Table{{RuleWorld::glob("data/[xy]*"), RuleWorld::glob("data/*"),
                                                   RuleWorld::value(std::string("data/z.txt"))},
                                                  {}})},
                 {"root", RuleWorld::value(std::string("data"))}});
    const auto description = world.describe(id);
    std::vector<std::string> found;
    for (const ListedFile& file : *std::any_cast<const SharedListing&>(description->carry))
      found.push_back(file.key);
    return found;
  };
  EXPECT_EQ(keys(RuleWorld::value(std::string("data/x*"))), (Names{"y.txt", "z.txt"}));
  EXPECT_EQ(keys(RuleWorld::list({"data/y*", "data/z*"})), (Names{"x.txt", "z.txt"}))
      << "what is named is meant";
  const auto wrong = world.describe(world.add(
      "data", {{"exclude", RuleWorld::value(std::string("["))}, {"files", RuleWorld::glob("data/**")}}));
  EXPECT_FALSE(wrong);
}

TEST(Data, AStoreAmongItsOwnFilesIsRefused) {
  DataWorld world;
  world.files.put("/w/bucket-one/x.txt", "xxx");
  const auto described = [&](const std::map<std::string, Value>& more) {
    std::map<std::string, Value> attributes = {{"files", RuleWorld::glob("**")},
                                               {"store", RuleWorld::value(std::string("one"))}};
    attributes.insert(more.begin(), more.end());
    return world.describe(world.add("data", attributes));
  };
  const auto refused = described({});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("bucket-one/x.txt"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(described({{"exclude", RuleWorld::value(std::string("bucket-one"))}}));
}

TEST(Data, AStoreThatALinkLeadsToIsStillAmongItsOwnFiles) {
  RuleWorld world;
  world.files.put("/w/data/bucket/old/x.txt", "xxx");
  world.files.put_link("/w/bucket-one", "data/bucket");
  const auto described = [&](const char* kind, const Value& which, const char* prefix) {
    return world.describe(world.add("data", {{kind, which},
                                             {"prefix", RuleWorld::value(std::string(prefix))},
                                             {"store", RuleWorld::value(std::string("one"))}}));
  };
  const auto refused = described("files", RuleWorld::glob("data/**"), "set");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("data/bucket/old/x.txt"), std::string::npos);
  world.files.put_link("/elsewhere", "/w/data");
  EXPECT_FALSE(described("url", RuleWorld::value(std::string("dir:/elsewhere")), "set"));
  // Files that lie in a store may go to another place there, but to none among them.
  world.files.put_link("/theirs", "/w/data/bucket/old");
  EXPECT_TRUE(described("url", RuleWorld::value(std::string("dir:/theirs")), "set"));
  EXPECT_FALSE(described("url", RuleWorld::value(std::string("dir:/theirs")), "old"));
}

TEST(Data, WhatIsFetchedIsNoFolderOfAnotherFile) {
  RuleWorld world;
  const auto fetched = [&](const char* name) {
    return world.describe(world.add(
        "data", {{"fetch", RuleWorld::table({{"name", RuleWorld::value(std::string(name))},
                                             {"sha256", RuleWorld::value(std::string(64, '0'))},
                                             {"url", RuleWorld::value(std::string("https://x/y"))}})},
                 {"files", RuleWorld::glob("data/**")}}));
  };
  world.files.put("/w/data/deep/z.txt", "z");
  EXPECT_TRUE(fetched("deeper"));
  for (const char* name : {"deep", "x.txt/a"}) {
    const auto refused = fetched(name);
    ASSERT_FALSE(refused) << name;
    EXPECT_NE(refused.error().message.find("in a folder of that name"), std::string::npos);
  }
}

TEST(Data, AFullStoreNamesWhatWaitsForItsRemoval) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.take_away("/w/data/x.txt");
  world.files.put("/w/data/z.txt", "zzz\n");
  world.files.refuse("write /w/bucket-one/data0/z.txt", ENOSPC);
  const auto done = world.execute(world.mirrored);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().hint.find("1 object, 4 B,"), std::string::npos) << done.error().hint;
  EXPECT_NE(done.error().hint.find("`/w/bucket-one/data0/x.txt`"), std::string::npos) << done.error().hint;
  world.files.take_away("/w/bucket-one/data0/x.txt");
  world.files.refuse("write /w/bucket-one/data0/z.txt", 0);
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects(), (Names{"data0/y.txt", "data0/z.txt"}));
}

TEST(Data, AFolderBeyondALinkIsNamedByItsUrl) {
  RuleWorld world;
  world.files.put("/big/set/a", "one");
  world.files.put_link("/w/linked", "/big/set");
  for (const Value& files : {RuleWorld::glob("linked/**"), RuleWorld::glob("linked"),
                             RuleWorld::list({"linked/a"}), RuleWorld::list({"linked"})}) {
    const auto described = world.describe(world.add("data", {{"files", files}}));
    ASSERT_FALSE(described);
    EXPECT_EQ(described.error().message, "`linked` is a link to a folder, and those are not entered");
    EXPECT_NE(described.error().hint.find("`url = \"dir:linked\"`"), std::string::npos);
  }
  for (const char* pattern : {"/big/set/**", "/big/set/a"}) {
    const auto described = world.describe(world.add("data", {{"files", RuleWorld::glob(pattern)}}));
    ASSERT_FALSE(described);
    EXPECT_NE(described.error().hint.find("`url = \"dir:/big/set\"`"), std::string::npos)
        << described.error().hint;
  }
  const auto described = world.describe(world.add("data", {{"files", RuleWorld::glob("../sets/x/*")}}));
  EXPECT_NE(described.error().hint.find("`url = \"dir:../sets/x\"`"), std::string::npos)
      << described.error().hint;
}

TEST(Data, ALockIsNotMadeBeyondALink) {
  DataWorld world;
  world.files.put_folder("/elsewhere");
  world.files.put_link("/w/bucket-one/.trainmake", "/elsewhere");
  EXPECT_FALSE(world.execute(world.mirrored));
  for (const std::string& path : world.files.all_files())
    EXPECT_FALSE(path.starts_with("elsewhere/")) << path;
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
  const Doing doing{{}, {}, [](const Event&) {}, world.tally, {}};
  EXPECT_TRUE(world.data.check_stored(target, root, doing));
  EXPECT_FALSE(world.data.check_stored(target, "another", doing));
  for (const std::string& path : world.files.all_files()) {
    if (path.starts_with("w/bucket-one/")) world.files.take_away("/" + path);
  }
  const auto emptied = world.data.check_stored(target, root, doing);
  ASSERT_FALSE(emptied);
  EXPECT_NE(emptied.error().message.find("somebody emptied it"), std::string::npos);
}

TEST(Data, AfterAJobReadItInItsStoreItIsKnownWhetherItLayThereAllTheTime) {
  DataWorld world;
  const auto sent = world.execute(world.mirrored);
  ASSERT_TRUE(sent);
  const std::string root = sent->artifacts.front().identity, store = sent->artifacts.back().address;
  const Doing doing{{}, {}, [](const Event&) {}, world.tally, {}};
  const auto mark = world.data.check_stored(world.graph[world.mirrored], root, doing);
  ASSERT_TRUE(mark);
  EXPECT_TRUE(*world.data.is_as_marked(store, *mark, {}));
  EXPECT_FALSE(*world.data.is_as_marked(store, "another\n5", {}));
  EXPECT_FALSE(*world.data.is_as_marked("store:gone/data0", *mark, {}));
  for (const std::string& path : world.files.all_files()) {
    if (path.starts_with("w/bucket-one/")) world.files.take_away("/" + path);
  }
  EXPECT_FALSE(*world.data.is_as_marked(store, *mark, {}));
}

TEST(Data, AnObjectThatSomebodyPutThereWithoutTellingIsSeen) {
  DataWorld world;
  const auto sent = world.execute(world.mirrored);
  ASSERT_TRUE(sent);
  const std::string root = sent->artifacts.front().identity, store = sent->artifacts.back().address;
  const Target& target = world.graph[world.mirrored];
  const Doing doing{{}, {}, [](const Event&) {}, world.tally, {}};
  const auto mark = world.data.check_stored(target, root, doing);
  ASSERT_TRUE(mark);
  const std::string object = [&] {
    for (const std::string& path : world.files.all_files()) {
      if (path.starts_with("w/bucket-one/data") && path.find(".trainmake") == path.npos) return "/" + path;
    }
    return std::string();
  }();
  const std::string before = world.files.content(object);
  ASSERT_FALSE(before.empty());
  world.files.put(object, std::string(before.size(), '!'));
  EXPECT_FALSE(*world.data.is_as_marked(store, *mark, {})) << "of the same size";
  world.clock.advance(std::chrono::seconds(20));
  const auto other = world.data.check_stored(target, root, doing);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("is another one, or gone"), std::string::npos)
      << other.error().message;
  EXPECT_NE(other.error().hint.find("data verify --heal"), std::string::npos);
  world.files.put(object, before);
  EXPECT_TRUE(*world.data.is_as_marked(store, *mark, {})) << "the same once more";
}

TEST(Data, APlaceOfAnotherTargetIsNotTaken) {
  DataWorld world;
  const auto with_prefix = [&] {
    return world.add("data", {{"files", RuleWorld::glob("data/**")},
                              {"store", RuleWorld::value(std::string("one"))},
                              {"prefix", RuleWorld::value(std::string("shared"))}});
  };
  ASSERT_TRUE(world.execute(with_prefix()));
  // A run of its own, of another project of the workspace.
  DataRule another{
      {world.host, world.workspace, world.space, world.rooms, world.blobs, *world.file_sets, world.tally}};
  const auto described = another.describe(world.subject(with_prefix()));
  ASSERT_FALSE(described);
  EXPECT_NE(described.error().message.find("holds the files of `//data:data1`"), std::string::npos)
      << described.error().message;
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
  ASSERT_TRUE(world.files.remove("/w/bucket-one/data0"));
  ASSERT_TRUE(world.files.remove("/w/bucket-one/.trainmake"));
  world.files.put("/w/bucket-one/of-others", "");
  EXPECT_FALSE(world.holds(world.mirrored));
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.files.content("/w/bucket-one/data0/x.txt"), "xxx\n");
}

TEST(Data, AFolderOfTheWorkspaceIsFilledAgain) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  ASSERT_TRUE(world.files.remove("/w/bucket-one"));
  world.files.put("/w/data/x.txt", "other");
  ASSERT_TRUE(world.execute(world.mirrored));
  EXPECT_EQ(world.objects().size(), 2U);
}

// What was sent would fill the disk below, and hide when it is mounted again.
TEST(Data, AStoreThatMayNotBeMountedIsRefused) {
  for (const bool is_empty : {false, true}) {
    DataWorld world;
    world.space.services.push_back(
        {"store", "nas", {{}, {{"url", DataWorld::value(std::string("dir:/mnt/nas"))}}}, {}});
    const TargetId id = world.add(
        "data", {{"files", DataWorld::glob("data/**")}, {"store", DataWorld::value(std::string("nas"))}});
    ASSERT_TRUE(world.execute(id));
    ASSERT_TRUE(world.files.remove("/mnt/nas"));
    ASSERT_TRUE(!is_empty || world.files.make_folder("/mnt/nas"));
    world.files.put("/w/data/z.txt", "zzz");
    const auto done = world.execute(id);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find(is_empty ? "is empty" : "is not there"), std::string::npos);
    EXPECT_NE(done.error().hint.find("/mnt/nas/.trainmake"), std::string::npos);
    const TargetId other = world.add("data", {{"files", DataWorld::glob("data/**")},
                                              {"snapshot", DataWorld::value(true)},
                                              {"store", DataWorld::value(std::string("nas"))}});
    EXPECT_FALSE(world.execute(other)) << "of which nothing is known";
    EXPECT_FALSE(world.files.look("/mnt/nas/data1/z.txt")->exists());
    ASSERT_TRUE(world.files.make_folder("/mnt/nas/.trainmake"));
    EXPECT_TRUE(world.execute(id));
  }
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

TEST(Data, WithoutPruneNothingMakesWayForAFolder) {
  DataWorld world;
  const TargetId id = world.add("data", {{"files", RuleWorld::glob("data/**")},
                                         {"prune", RuleWorld::value(false)},
                                         {"store", RuleWorld::value(std::string("two"))}});
  ASSERT_TRUE(world.execute(id));
  world.files.take_away("/w/data/x.txt");
  world.files.put("/w/data/x.txt/inside", "1");
  const auto done = world.execute(id);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("`x.txt`"), std::string::npos) << done.error().message;
  EXPECT_NE(done.error().hint, "");
}

TEST(Data, WhatOthersPutIsNotMovedOutOfTheWay) {
  DataWorld world;
  ASSERT_TRUE(world.execute(world.mirrored));
  world.files.put("/w/bucket-one/data0/x.txt", "of somebody else");
  world.files.take_away("/w/data/x.txt");
  world.files.put("/w/data/x.txt/inside", "1");
  const auto done = world.execute(world.mirrored);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("in the way"), std::string::npos) << done.error().message;
  EXPECT_EQ(world.files.content("/w/bucket-one/data0/x.txt"), "of somebody else");
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

TEST(Data, WhatGoesToAPlatformsBucketStaysOutOfStoresWithinIt) {
  RuleWorld world;
  world.environment.variables = {{"AWS_ACCESS_KEY_ID", "KEY"}, {"AWS_SECRET_ACCESS_KEY", "SECRET"}};
  const auto declare = [&](const char* kind, const char* name, const char* url, int line) {
    world.space.services.push_back(
        {kind, name, {{}, {{"url", RuleWorld::value(std::string(url))}}}, {"TRAINSPACE.lua", line}});
  };
  declare("platform", "cloud", "", 1);
  declare("store", "cloud", "s3://bucket", 1);
  declare("store", "sets", "s3://bucket/our/sets/", 2);
  const auto refusal_of = [&](const char* store, const char* prefix) {
    const auto described =
        world.describe(world.add("data", {{"files", RuleWorld::glob("data/**")},
                                          {"prefix", RuleWorld::value(std::string(prefix))},
                                          {"store", RuleWorld::value(std::string(store))}}));
    return described ? std::string() : described.error().message;
  };
  for (const char* prefix : {"our", "our/sets", "our/sets/x"})
    EXPECT_NE(refusal_of("cloud", prefix).find("where store `sets` is"), std::string::npos) << prefix;
  for (const char* prefix : {"ours", "our/set", "x"}) EXPECT_EQ(refusal_of("cloud", prefix), "") << prefix;
  EXPECT_EQ(refusal_of("sets", "our/sets"), "");
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
