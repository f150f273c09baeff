#include "cache/whole_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "cache/archive.h"
#include "cache/blobs.h"
#include "cache/sqlite.h"
#include "cache/state.h"
#include "tests/cache/some_records.h"
#include "tests/support/forwarding_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

struct TransferTest : testing::Test {
  TransferTest() {
    EXPECT_TRUE(open(here)->remember(record));
    blob = *blobs_of(here).put("the model");
    folder.write("here/images/index.json", "{}");
    folder.write(cat("here/files/", digest_of("project").hex(), ".idx"), "index");
    folder.write("here/images/.lock", "");
    folder.write("here/images/blobs/.waiting-1-2", "half");
    folder.write("here/blobs/incoming/3-4", "half");
    folder.write("here/blobs/sha256/ab/.tm-tmp-5", "half");
    folder.write("here/proofs/abc.proof", "proof");
    folder.write("here/lock", "");
  }
  static std::unique_ptr<State> open(const std::string& cache) {
    return *State::open(cache, State::Access::kWrite);
  }
  static Blobs blobs_of(const std::string& cache) { return {real_file_system(), cache}; }
  Result<Transferred> send() { return export_cache(host, here, file, {}); }
  Result<Transferred> receive() {
    const auto merge_images = [this](const std::string& from, const std::string& to) {
      images.emplace_back(from, to);
      return Result<void>();
    };
    return import_cache(host, there, file, merge_images, {});
  }
  std::vector<std::pair<std::string, std::string>> images;  // that were to be merged
  std::set<std::string> names_in(const std::string& path) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) names.insert(entry.path().filename());
    return names;
  }

  ScratchFolder folder;
  std::string here = folder.path("here"), there = folder.path("there"),
              file = folder.path("out/cache.tar.zst");
  Environment environment;
  Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  Record record = some_record("mnist", 1);
  Sha256 blob;
};

TEST_F(TransferTest, WhatIsExportedCanBeImportedElsewhere) {
  const Result<Transferred> sent = send();
  ASSERT_TRUE(sent) << sent.error().message;
  const Result<Transferred> received = receive();
  ASSERT_TRUE(received) << received.error().message;
  EXPECT_EQ(sent->files, 4U);
  EXPECT_EQ(std::tie(sent->files, sent->bytes), std::tie(received->files, received->bytes));
  EXPECT_TRUE(same(**open(there)->last(record.label), record));
  EXPECT_EQ(**blobs_of(there).read(blob), "the model");
  EXPECT_EQ(folder.read("there/images/index.json"), "{}");
  EXPECT_EQ(names_in(there), (std::set<std::string>{".gitignore", "blobs", "files", "images", "state.db"}));
  EXPECT_EQ(names_in(folder.path("out")), std::set<std::string>{"cache.tar.zst"});
}

TEST_F(TransferTest, RunsKeepTheirOrderAndComeAmongOursByTheirTimes) {
  const auto put = [](State& state, const std::string& id, std::int64_t created_ns) {
    trainmake::Run run = some_run(id);
    run.created_ns = created_ns;
    ASSERT_TRUE(state.put(run));
  };
  const auto ids = [&] {
    const auto runs = open(there)->all();
    std::string all;
    for (const trainmake::Run& run : *runs) all += run.id;
    return all;
  };
  // Clocks were set back both here and there.
  for (const auto& [id, created_ns] : {std::pair("a", 900), {"b", 100}, {"c", 200}})
    put(*open(here), id, created_ns);
  ASSERT_TRUE(send());
  ASSERT_TRUE(receive());
  EXPECT_EQ(ids(), "cba");
  ASSERT_TRUE(real_file_system().remove(there));
  for (const auto& [id, created_ns] : {std::pair("x", 150), {"y", 50}, {"z", 1000}})
    put(*open(there), id, created_ns);
  ASSERT_TRUE(receive());
  EXPECT_EQ(ids(), "zcbayx");
  put(*open(there), "n", 1);
  EXPECT_EQ(ids(), "nzcbayx");
}

TEST_F(TransferTest, ExportsWhileSomebodyHasItOpen) {
  const auto state = open(here);
  const Record second = some_record("mnist", 2);
  ASSERT_TRUE(state->remember(second));  // still in the log
  ASSERT_TRUE(send());
  ASSERT_TRUE(receive());
  EXPECT_TRUE(same(**open(there)->last(record.label), second));
}

TEST_F(TransferTest, AFolderMayBeALinkToAnotherDisk) {
  ScratchFolder disk;
  const std::string memory = "/dev/shm";
  std::string other = disk.path("blobs");
  if (std::filesystem::is_directory(memory)) other = memory + disk.path();
  std::filesystem::create_directories(other);
  std::filesystem::create_directories(there);
  std::filesystem::create_directory_symlink(other, path_join(there, "blobs"));
  ASSERT_TRUE(send());
  ASSERT_TRUE(receive());
  EXPECT_TRUE(std::filesystem::is_symlink(path_join(there, "blobs")));
  EXPECT_EQ(**blobs_of(there).read(blob), "the model");
  here = there;
  ASSERT_TRUE(send());
  there = folder.path("third");
  ASSERT_TRUE(receive());
  EXPECT_EQ(**blobs_of(there).read(blob), "the model");
  std::filesystem::remove_all(other);
}

TEST_F(TransferTest, ImportAddsToWhatIsThere) {
  ASSERT_TRUE(send());
  const Record other = some_record("other", 9);
  Record mine = some_record("mnist", 2);
  ASSERT_TRUE(open(there)->remember(other));
  ASSERT_TRUE(open(there)->remember(mine));
  const Sha256 old_blob = *blobs_of(there).put("old");
  folder.write("there/images/index.json", "mine");
  folder.write("there/lock", "");
  const std::uint64_t before = *open(there)->generation();
  ASSERT_TRUE(receive());
  EXPECT_TRUE(same(**open(there)->last(other.label), other));
  EXPECT_TRUE(same(**open(there)->last(mine.label), mine)) << "what was there stays";
  EXPECT_TRUE(same(**open(there)->find(record.label, record.fingerprint), record));
  EXPECT_TRUE(*blobs_of(there).has(old_blob));
  EXPECT_TRUE(*blobs_of(there).has(blob));
  EXPECT_EQ(folder.read("there/images/index.json"), "mine");
  ASSERT_EQ(images.size(), 1U);
  EXPECT_EQ(images[0].second, folder.path("there/images"));
  EXPECT_TRUE(folder.has("there/lock"));
  EXPECT_NE(*open(there)->generation(), before);
  EXPECT_EQ(names_in(there),
            (std::set<std::string>{".gitignore", "blobs", "files", "images", "lock", "state.db"}));
}

TEST_F(TransferTest, RunsOfBothStayAndSuccessWins) {
  const auto put = [](const std::string& cache, const std::string& id, RunStatus status, double loss) {
    auto run = some_run(id, 1);
    run.status = status;
    run.metrics = {{"loss", loss}};
    ASSERT_TRUE(open(cache)->put(run));
  };
  put(here, "theirs", RunStatus::kSucceeded, 1);
  put(here, "better", RunStatus::kSucceeded, 1);
  put(here, "known", RunStatus::kFailed, 1);
  put(here, "going", RunStatus::kSucceeded, 1);
  put(there, "mine", RunStatus::kSucceeded, 2);
  put(there, "better", RunStatus::kFailed, 2);
  put(there, "known", RunStatus::kSucceeded, 2);
  put(there, "going", RunStatus::kRunning, 2);
  ASSERT_TRUE(send());
  ASSERT_TRUE(receive());
  const auto state = open(there);
  EXPECT_EQ(state->all()->size(), 5U);
  for (const auto& [id, loss] :
       std::map<std::string, double>{{"theirs", 1}, {"better", 1}, {"known", 2}, {"going", 2}, {"mine", 2}}) {
    const auto run = **state->get(id);
    EXPECT_EQ(run.metrics, (std::map<std::string, double>{{"loss", loss}})) << id;
  }
}

TEST_F(TransferTest, WhatLeadsOutOfItsFolderIsRefused) {
  for (const char* sql : {"UPDATE runs SET id = '../../../victim'", "UPDATE runs SET id = '..'",
                          "UPDATE run_outputs SET path = '../../victim'",
                          "UPDATE run_outputs SET path = '/etc'", "UPDATE run_outputs SET path = ''"}) {
    auto run = some_run("run1", 1);
    run.outputs = {{"model", "model.txt", 1, ""}};
    const std::string cache = folder.path(cat("hostile", digest_of(sql).hex()));
    ASSERT_TRUE(open(cache)->put(run));
    ASSERT_TRUE((*Database::open(cache + "/state.db", Database::Mode::kWrite))->run(sql));
    here = cache;
    ASSERT_TRUE(send());
    const Result<Transferred> received = receive();
    ASSERT_FALSE(received) << sql;
    EXPECT_FALSE(folder.has("there/state.db"));
  }
}

TEST_F(TransferTest, AStateThatIsNewerHereIsLeftAlone) {
  ASSERT_TRUE(send());
  ASSERT_TRUE(open(there)->remember(some_record("other", 9)));
  ASSERT_TRUE(
      (*Database::open(there + "/state.db", Database::Mode::kWrite))->run("PRAGMA user_version = 9999"));
  const std::string before = folder.read("there/state.db");
  EXPECT_FALSE(receive());
  EXPECT_EQ(folder.read("there/state.db"), before);
  EXPECT_FALSE(*blobs_of(there).has(blob));
}

TEST_F(TransferTest, AnImportHasAGenerationOfItsOwn) {
  ASSERT_TRUE(send());
  ASSERT_TRUE(receive());
  EXPECT_NE(*open(there)->generation(), *open(here)->generation());
}

TEST_F(TransferTest, NothingIsReplacedByADamagedArchive) {
  ASSERT_TRUE(send());
  const std::string whole = folder.read("out/cache.tar.zst");
  const Record other = some_record("other", 9);
  ASSERT_TRUE(open(there)->remember(other));
  for (std::size_t size = 0; size < whole.size(); size += 101) {
    folder.write("out/cache.tar.zst", whole.substr(0, size));
    EXPECT_FALSE(receive()) << size;
  }
  EXPECT_TRUE(same(**open(there)->last(other.label), other));
  EXPECT_EQ(names_in(there), (std::set<std::string>{".gitignore", "state.db"}));
}

TEST_F(TransferTest, ABlobThatIsNotWhatItsNameSaysIsRefused) {
  std::filesystem::permissions(blobs_of(here).path(blob), std::filesystem::perms::owner_all);
  folder.write(blobs_of(here).path(blob).substr(folder.path().size() + 1), "rotten!!!");
  ASSERT_TRUE(send());
  const Result<Transferred> received = receive();
  ASSERT_FALSE(received);
  EXPECT_NE(received.error().message.find(blob.hex()), std::string::npos);
  EXPECT_FALSE(folder.has("there/state.db"));
}

TEST_F(TransferTest, ANewerStateIsRefused) {
  ASSERT_TRUE(send());
  ASSERT_TRUE(receive());
  ASSERT_TRUE(
      (*Database::open(there + "/state.db", Database::Mode::kWrite))->run("PRAGMA user_version = 9999"));
  EXPECT_FALSE(export_cache(host, there, file, {}));
  // As a newer program would have written it.
  const auto writer = *real_file_system().create(file);
  ArchiveWriter archive(*writer);
  ASSERT_TRUE(archive.add(real_file_system(), there + "/state.db", "state.db"));
  ASSERT_TRUE(archive.finish());
  ASSERT_TRUE(writer->commit());
  there = folder.path("third");
  const Result<Transferred> received = receive();
  ASSERT_FALSE(received);
  EXPECT_NE(received.error().message.find("newer"), std::string::npos);
}

TEST_F(TransferTest, AnArchiveOfSomethingElseIsRefused) {
  const std::string hex = blob.hex(), half = hex.substr(0, 32);
  for (const std::string& name : {std::string("README.md"),
                                  std::string("blobs"),
                                  std::string("lock"),
                                  std::string("proofs/a.proof"),
                                  std::string("state.db-wal"),
                                  std::string("state.db/x"),
                                  std::string("blobs/sha256"),
                                  cat("blobs/sha256/", hex),
                                  cat("blobs/sha256/zz/", hex),
                                  cat("blobs/sha256/", hex.substr(0, 2)),
                                  cat("blobs/sha256/", hex.substr(0, 2), "/", half),
                                  cat("blobs/incoming/", hex),
                                  cat("blobs/sha256/", hex.substr(0, 2), "/", hex, "/x"),
                                  std::string("images/blobs"),
                                  std::string("images/index.json/z"),
                                  std::string("images/.lock"),
                                  cat("images/blobs/", hex),
                                  cat("images/blobs/sha256/", half),
                                  std::string("layers/q/z"),
                                  std::string("layers/q.json"),
                                  cat("layers/", half),
                                  cat("layers/x/", half, ".json"),
                                  std::string("files/abc.idx"),
                                  cat("files/", half, ".idx/x")}) {
    folder.write("one", "x");
    const auto writer = *real_file_system().create(file);
    ArchiveWriter archive(*writer);
    ASSERT_TRUE(archive.add(real_file_system(), folder.path("one"), name));
    ASSERT_TRUE(archive.finish());
    ASSERT_TRUE(writer->commit());
    const Result<Transferred> received = receive();
    ASSERT_FALSE(received) << name;
    EXPECT_NE(received.error().message.find("no exported cache"), std::string::npos) << name;
    EXPECT_FALSE(std::filesystem::exists(there));
  }
}

// Asks to stop when the last of `left` files is opened or made.
class StoppingFileSystem : public ForwardingFileSystem {
 public:
  StoppingFileSystem(std::stop_source stop, int left)
      : ForwardingFileSystem(real_file_system()), stop_(std::move(stop)), left_(left) {}
  Result<std::unique_ptr<FileReader>> open(const std::string& path) override {
    count();
    return ForwardingFileSystem::open(path);
  }
  Result<std::unique_ptr<FileWriter>> create(const std::string& path, const WriteOptions& options) override {
    count();
    return ForwardingFileSystem::create(path, options);
  }

 private:
  void count() {
    if (--left_ == 0) stop_.request_stop();
  }
  std::stop_source stop_;
  int left_;
};

TEST_F(TransferTest, BothStopBetweenPiecesAndLeaveNothing) {
  const Merge no_images = [](const std::string&, const std::string&) { return Result<void>(); };
  const auto stopped_after = [&](int files, auto transfer) {
    const std::stop_source now;
    StoppingFileSystem stopping(now, files);
    Host other{stopping, real_processes(), real_http(), real_clock(), environment};
    const Result<Transferred> done = transfer(other, now.get_token());
    EXPECT_EQ(done.has_value(), !now.stop_requested()) << files;
    if (!done) {
      EXPECT_EQ(done.error().blame, Blame::kInterrupted) << done.error().message;
    }
    return now.stop_requested();
  };
  std::filesystem::create_directories(folder.path("out"));
  std::filesystem::create_directories(there);
  int files = 1;
  while (stopped_after(files, [&](Host& other, const std::stop_token& token) {
    return export_cache(other, here, file, token);
  })) {
    EXPECT_EQ(names_in(folder.path("out")), std::set<std::string>{}) << files;
    ++files;
  }
  EXPECT_GT(files, 4);
  files = 1;
  while (stopped_after(files, [&](Host& other, const std::stop_token& token) {
    return import_cache(other, there, file, no_images, token);
  })) {
    EXPECT_EQ(names_in(there), std::set<std::string>{}) << files;
    ++files;
  }
  EXPECT_GT(files, 4);
}

TEST_F(TransferTest, ThereMustBeSomethingToExport) {
  const Result<Transferred> sent = export_cache(host, folder.path("nothing"), file, {});
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().message.find("nothing to export"), std::string::npos);
  EXPECT_FALSE(folder.has("out/cache.tar.zst"));
}

}  // namespace
}  // namespace trainmake
