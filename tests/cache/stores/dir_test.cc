#include "cache/stores/dir/dir_store.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/store_under_test.h"

namespace trainmake {
namespace {

// Everything that a dir store borrows, kept alive with it.
struct DirWorld {
  std::shared_ptr<MemFileSystem> files = std::make_shared<MemFileSystem>();
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment;
  Host host{*files, processes, http, clock, environment};
  Workspace workspace{"/w", "/w/.trainmake", ""};
  Tally tally;
};

}  // namespace

StoreUnderTest dir_under_test() {
  auto world = std::make_shared<DirWorld>();
  Value url;
  url.data = std::string("dir:bucket");
  const Service service{"store", "bucket", {{}, {{"url", url}}}, {}};
  Store* store = make_dir_store(world->host, world->workspace, service, world->tally)->release();
  return {world->files, {store, [world](Store* made) { delete made; }}};
}

namespace {

TEST(DirStore, LeavesNoEmptyFolders) {
  const StoreUnderTest under = dir_under_test();
  ASSERT_TRUE(under.store->put("a/b/c", "x", {}));
  ASSERT_TRUE(under.store->remove(std::vector<std::string>{"a/b/c"}, {}));
  EXPECT_FALSE(under.files->has("/w/bucket/a"));
}

TEST(DirStore, WhatComesMeanwhileKeepsItsFolder) {
  const StoreUnderTest under = dir_under_test();
  ASSERT_TRUE(under.store->put("a/b", "x", {}));
  under.files->put_folder("/w/bucket/a/c");
  ASSERT_TRUE(under.store->remove(std::vector<std::string>{"a/b"}, {}));
  EXPECT_TRUE(under.files->has("/w/bucket/a/c"));
  for (const std::string& asked : under.files->take_log())
    EXPECT_NE(asked, "remove /w/bucket/a") << "which would take with it what has just come";
}

TEST(DirStore, WhatIsNoFileIsNotRemovedAsOne) {
  const StoreUnderTest under = dir_under_test();
  under.files->put_folder("/w/bucket/a");
  under.files->put_link("/w/bucket/a/link", "/theirs");
  under.files->put_special("/w/bucket/a/pipe");
  ASSERT_TRUE(under.store->remove(std::vector<std::string>{"a/link", "a/pipe"}, {}));
  EXPECT_TRUE(under.files->has("/w/bucket/a/link"));
  EXPECT_TRUE(under.files->has("/w/bucket/a/pipe"));
}

TEST(DirStore, FoldersWithNothingInThemMakeWayForAFile) {
  const StoreUnderTest under = dir_under_test();
  under.files->put("/src/f", "content");
  under.files->put_folder("/w/bucket/k/deep/er");
  ASSERT_TRUE(under.store->put_file({"k", "/src/f", digest_of("content")}, {}));
  EXPECT_EQ(under.files->content("/w/bucket/k"), "content");
  under.files->put_folder("/w/bucket/full/deep");
  under.files->put("/w/bucket/full/deep/er", "theirs");
  EXPECT_FALSE(under.store->put_file({"full", "/src/f", digest_of("content")}, {}));
  EXPECT_EQ(under.files->content("/w/bucket/full/deep/er"), "theirs");
}

TEST(DirStore, WhatIsRefusedHasRemovedNothing) {
  const StoreUnderTest under = dir_under_test();
  under.files->put("/src/f", "content");
  under.files->put_folder("/w/bucket/k/a/deeper");
  under.files->put("/w/bucket/k/theirs", "x");
  EXPECT_FALSE(under.store->put_file({"k", "/src/f", digest_of("content")}, {}));
  EXPECT_TRUE(under.files->has("/w/bucket/k/a/deeper"));
  under.files->take_away("/w/bucket/k/theirs");
  EXPECT_FALSE(under.store->put_file({"k", "/src/f", digest_of("another")}, {})) << "it changed meanwhile";
  EXPECT_TRUE(under.files->has("/w/bucket/k/a/deeper"));
}

// Two machines that send to one disk, whose clock is none of theirs.
TEST(DirStore, LeftoversAreOldByTheClockOfTheDisk) {
  const StoreUnderTest under = dir_under_test();
  constexpr std::int64_t kHour_ns = std::int64_t{3600} * 1'000'000'000;
  under.files->now_ns = FakeClock::kStart - 5 * kHour_ns;
  under.files->put("/src/f", "content");
  under.files->put("/w/bucket/.trainmake/.arriving/killed/.tm-tmp-1-1", "of one that was killed");
  under.files->now_ns += 2 * kHour_ns;
  under.files->put("/w/bucket/.trainmake/.arriving/theirs/.tm-tmp-1-2", "of one that goes on");
  ASSERT_TRUE(under.store->put_file({"k", "/src/f", digest_of("content")}, {}));
  EXPECT_FALSE(under.files->has("/w/bucket/.trainmake/.arriving/killed"));
  EXPECT_TRUE(under.files->has("/w/bucket/.trainmake/.arriving/theirs/.tm-tmp-1-2"));
}

TEST(DirStore, WhoIsAtWorkForLongTellsSoAndLeavesNothing) {
  auto world = std::make_unique<DirWorld>();
  Value url;
  url.data = std::string("dir:bucket");
  std::unique_ptr<Store> store = *make_dir_store(world->host, world->workspace,
                                                 {"store", "bucket", {{}, {{"url", url}}}, {}}, world->tally);
  const std::string bytes(200'000, 'x');
  world->files->put("/src/f", bytes);
  ASSERT_TRUE(store->put_file({"k", "/src/f", digest_of(bytes)}, {}));
  world->files->take_log();
  world->clock.advance(std::chrono::minutes(2));
  ASSERT_TRUE(store->put_file({"l", "/src/f", digest_of(bytes)}, {}));
  const std::vector<std::string> log = world->files->take_log();
  const auto is_telling = [](const std::string& asked) {
    return asked.starts_with("commit") && asked.ends_with("/at-work");
  };
  EXPECT_EQ(std::count_if(log.begin(), log.end(), is_telling), 1);
  store.reset();
  for (const std::string& path : world->files->all_files())
    EXPECT_EQ(path.find(".arriving"), path.npos) << path;
}

TEST(DirStore, FilesReachTheDiskBeforeWhatIsSaidOfThem) {
  const StoreUnderTest under = dir_under_test();
  under.files->put("/src/f", "content");
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(under.store->put_file({std::to_string(i), "/src/f", digest_of("content")}, {}));
  under.files->take_log();
  ASSERT_TRUE(under.store->put("m", "manifest", {}));
  ASSERT_TRUE(under.store->put("m", "manifest", {}));
  std::vector<std::string> told;
  for (const std::string& asked : under.files->take_log()) {
    if (asked.starts_with("commit") || asked.starts_with("sync")) told.push_back(asked);
  }
  EXPECT_EQ(told,
            (std::vector<std::string>{"sync_disk /w/bucket", "commit /w/bucket/m", "commit /w/bucket/m"}));
}

TEST(DirStore, NothingIsWrittenOrRemovedBeyondALink) {
  const StoreUnderTest under = dir_under_test();
  under.files->put("/elsewhere/x", "theirs");
  under.files->put("/src/f", "content");
  under.files->put_folder("/w/bucket/a");
  under.files->put_link("/w/bucket/a/b", "/elsewhere");
  for (const char* key : {"a/b/x", "a/b/c/x"}) {
    EXPECT_FALSE(under.store->put(key, "ours", {}));
    EXPECT_FALSE(under.store->put_file({key, "/src/f", digest_of("content")}, {}));
    EXPECT_FALSE(under.store->remove(std::vector<std::string>{key}, {}));
  }
  EXPECT_EQ(under.files->content("/elsewhere/x"), "theirs");
  EXPECT_FALSE(under.files->has("/elsewhere/c"));
}

TEST(DirStore, ALargeFileIsCopiedByTheFileSystem) {
  const StoreUnderTest under = dir_under_test();
  const std::string bytes(200'000, 'x');
  under.files->put("/src/f", bytes);
  under.files->take_log();
  const auto put = under.store->put_file({"k", "/src/f", digest_of(bytes)}, {});
  ASSERT_TRUE(put);
  EXPECT_EQ(put->sent, bytes.size());
  EXPECT_EQ(under.files->content("/w/bucket/k"), bytes);
  const std::vector<std::string> log = under.files->take_log();
  EXPECT_EQ(std::count(log.begin(), log.end(), "take_copy /w/bucket/k"), 1);
  EXPECT_EQ(std::count(log.begin(), log.end(), "write /w/bucket/k"), 0);
}

TEST(DirStore, AFileThatChangesBeforeItIsCopiedIsRefused) {
  const StoreUnderTest under = dir_under_test();
  const std::string bytes(200'000, 'x');
  under.files->put("/src/f", bytes);
  under.files->on_open = [&](const std::string& path) {
    if (path == "/src/f") under.files->put(path, std::string(200'000, 'y'));
  };
  const auto put = under.store->put_file({"k", "/src/f", digest_of(bytes)}, {});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().message, "`/src/f` changed while it was sent");
  EXPECT_FALSE(under.files->has("/w/bucket/k"));
}

TEST(DirStore, ListsFoldersWithNothingInThem) {
  const StoreUnderTest under = dir_under_test();
  ASSERT_TRUE(under.store->put("a/empty/", "", {}));
  ASSERT_TRUE(under.store->put("a/full/", "", {}));
  ASSERT_TRUE(under.store->put("a/full/f", "x", {}));
  std::vector<std::string> keys;
  ASSERT_TRUE(under.store->list("a/", [&](const StoredObject& object) { keys.push_back(object.key); }));
  EXPECT_EQ(keys, (std::vector<std::string>{"a/empty/", "a/full/f"}));
}

// On a real disk, through which whoever watches it sees what is on its way.
struct RealDirWorld {
  ScratchFolder folder;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment;
  Host host{real_file_system(), processes, http, clock, environment};
  Workspace workspace{folder.path(), folder.path(".trainmake"), ""};
  Tally tally;
  std::unique_ptr<Store> store;

  RealDirWorld() {
    Value url;
    url.data = std::string("dir:bucket");
    store = *make_dir_store(host, workspace, {"store", "bucket", {{}, {{"url", url}}}, {}}, tally);
  }
};

TEST(DirStore, WhatIsOnItsWayLiesAside) {
  RealDirWorld world;
  world.folder.write("src/f", "content");
  world.folder.write("bucket/.trainmake/.arriving/.tm-tmp-1-1", "of one that was killed");
  ASSERT_TRUE(world.store->put_file({"a/k", world.folder.path("src/f"), digest_of("content")}, {}));
  EXPECT_EQ(world.folder.read("bucket/a/k"), "content");
  std::vector<std::string> keys;
  ASSERT_TRUE(world.store->list("", [&](const StoredObject& object) { keys.push_back(object.key); }));
  EXPECT_EQ(keys, (std::vector<std::string>{"a/k"})) << "what is on its way is no object";
  EXPECT_TRUE(world.folder.has("bucket/.trainmake/.arriving/.tm-tmp-1-1")) << "it may be somebody's yet";
}

TEST(DirStore, NothingIsWrittenBeyondALinkThatStandsForItsOwnFolder) {
  const StoreUnderTest under = dir_under_test();
  under.files->put_folder("/elsewhere");
  under.files->put("/src/f", "content");
  under.files->put_link("/w/bucket/.trainmake", "/elsewhere");
  EXPECT_FALSE(under.store->put_file({"k", "/src/f", digest_of("content")}, {}));
  EXPECT_FALSE(under.store->put("k", "x", {}));
}

TEST(DirStore, AFullDiskLeavesNothingHalfWritten) {
  const StoreUnderTest under = dir_under_test();
  under.files->put("/src/f", "content");
  under.files->refuse("write /w/bucket/k", 28);  // ENOSPC
  EXPECT_FALSE(under.store->put_file({"k", "/src/f", digest_of("content")}, {}));
  EXPECT_FALSE(*under.store->get("k"));
}

}  // namespace
}  // namespace trainmake
