#include "engine/cli/collect_garbage.h"

#include "cache/listing.h"
#include "tests/engine/cli/looking_back.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"

namespace trainmake {
namespace {

constexpr std::int64_t kDay_ns = 24LL * 3600 * 1'000'000'000;

struct Gc : testing::Test, LookingBack {
  FakeClock clock;
  FakeProcesses processes;
  FakeHttp http;
  Environment environment;
  Host host{real_file_system(), processes, http, clock, environment};
  Space space;
  Workspace workspace{folder.path("workspace"), folder.path(), ""};
  Blobs blobs{host.files, folder.path()};
  std::int64_t old_ns = clock.now_ns() - 100 * kDay_ns;

  Removed collect(KeepOptions keep = {}) {
    const auto removed = collect_garbage({host, workspace, space, *state, blobs}, keep);
    EXPECT_TRUE(removed) << removed.error().message;
    return removed ? *removed : Removed();
  }
  Sha256 blob(std::string_view bytes) { return *blobs.put(bytes); }
  bool has(std::string_view bytes) { return *blobs.has(sha256_of(bytes)); }

  void remember_record(const Label& label, const std::string& content, std::int64_t when_ns,
                       Artifacts artifacts) {
    const Manifest manifest = manifest_of(content);
    ASSERT_TRUE(
        state->remember({label, manifest.fingerprint(), manifest, std::move(artifacts), when_ns, "0", ""}));
  }
  static Artifacts kept_blob(std::string_view bytes) {
    const std::string hex = sha256_of(bytes).hex();
    return {{"o", hex, hex, bytes.size(), cat("blob:", hex)}};
  }
  void run_folder(const std::string& id) {
    for (const char* name :
         {"log.txt", "exit.json", "started", "settled", "order", "code/a.py", "output/rest"})
      folder.write(cat("runs/", id, "/", name), "content");
  }
};

TEST_F(Gc, RemovesBlobsThatNothingRefersTo) {
  blob("wanted");
  blob("unwanted");
  remember_record(job("x"), "a", old_ns, kept_blob("wanted"));
  const Removed removed = collect();
  EXPECT_EQ(std::pair(removed.blobs, removed.bytes), std::pair(std::uint64_t{1}, std::uint64_t{8}));
  EXPECT_TRUE(has("wanted"));
  EXPECT_FALSE(has("unwanted"));
}

TEST_F(Gc, KeepsTheFilesOfAListing) {
  const Listing listing = {{"a.py", "", "", 4, 0644, {}, blob("file")}};
  const std::string tree = encode(listing);
  blob(tree);
  Artifacts artifacts = kept_blob(tree);
  artifacts[0].role = "tree";
  remember_record({"", "code", "c"}, "a", old_ns, artifacts);
  collect();
  EXPECT_TRUE(has(tree));
  EXPECT_TRUE(has("file"));
}

TEST_F(Gc, KeepsWhatARunLeft) {
  blob("model");
  auto run = run_of({"aaa000000000", job("x"), RunStatus::kSucceeded, old_ns});
  run.outputs = {{"model", "model.txt", 5, sha256_of("model").hex()}};
  put(run);
  collect();
  EXPECT_TRUE(has("model"));
}

TEST_F(Gc, OfEachLabelKeepsTheLastCheckpoint) {
  std::string kept;
  for (const char* content : {"before", "last"}) {
    const std::string listing = encode({{"step", "", "", 4, 0644, {}, blob(content)}});
    auto run = run_of({cat(content, "00"), job("x"), RunStatus::kFailed, kept.empty() ? old_ns : old_ns + 1});
    run.provenance_json = cat(R"({"checkpoint":{"listing":")", blob(listing).hex(), R"("}})");
    put(run);
    kept = listing;
  }
  collect();
  EXPECT_TRUE(has(kept) && has("last"));
  EXPECT_FALSE(has("before"));
}

TEST_F(Gc, KeepsWhatAResultWentOnFrom) {
  const std::string listing = encode({{"step", "", "", 4, 0644, {}, blob("begun with")}});
  auto run = run_of({"aaa000000000", job("x"), RunStatus::kSucceeded, old_ns});
  run.provenance_json = cat(R"({"resumed":{"run":"before","listing":")", blob(listing).hex(), R"("}})");
  put(run);
  const Manifest manifest = manifest_of("a");
  ASSERT_TRUE(state->remember({job("x"), manifest.fingerprint(), manifest, {}, old_ns, "0", run.id}));
  collect();
  EXPECT_TRUE(has(listing) && has("begun with"));
}

TEST_F(Gc, ForgetsOldResultsBeyondTheNewestFew) {
  for (int i = 0; i < 5; ++i) {
    blob(cat("result ", i));
    remember_record(job("x"), cat(i), old_ns + i, kept_blob(cat("result ", i)));
  }
  const Removed removed = collect({.results_per_label = 2});
  EXPECT_EQ(removed.results, 3U);
  EXPECT_FALSE(has("result 2"));
  EXPECT_TRUE(has("result 3"));
  EXPECT_TRUE(has("result 4"));
}

TEST_F(Gc, AYoungResultStaysAndSoDoesThePresentOneHoweverOld) {
  remember_record(job("x"), "young", clock.now_ns(), {});
  remember_record(job("x"), "present", old_ns, {});
  EXPECT_EQ(collect({.results_per_label = 0}).results, 0U);
}

TEST_F(Gc, NothingIsForgottenWhileAJobIsInFlight) {
  remember_record(job("x"), "old", old_ns, {});
  remember_record(job("x"), "new", clock.now_ns(), {});
  put(run_of({"aaa000000000", job("y"), RunStatus::kRunning, clock.now_ns()}));
  EXPECT_EQ(collect({.results_per_label = 0}).results, 0U);
}

TEST_F(Gc, OfFinishedRunsTheLogsOfTheNewestStay) {
  for (const char* id : {"aaa000000000", "bbb000000000", "ccc000000000", "ddd000000000"}) run_folder(id);
  put(run_of({"aaa000000000", job("x"), RunStatus::kFailed, 1}));
  put(run_of({"bbb000000000", job("x"), RunStatus::kFailed, 2}));
  put(run_of({"ccc000000000", job("x"), RunStatus::kRunning, 3}));
  const Removed removed = collect({.logs = 2});
  EXPECT_EQ(removed.runs, 3U);  // ddd is of a memory that was lost
  EXPECT_FALSE(folder.has("runs/aaa000000000"));
  EXPECT_TRUE(folder.has("runs/bbb000000000/log.txt"));
  EXPECT_FALSE(folder.has("runs/bbb000000000/code"));
  EXPECT_TRUE(folder.has("runs/ccc000000000/code/a.py"));
  EXPECT_FALSE(folder.has("runs/ddd000000000"));
}

TEST_F(Gc, ARunThatNobodyRemembersIsLeftAloneUntilItsEndWas) {
  run_folder("aaa000000000");
  std::filesystem::remove(folder.path("runs/aaa000000000/settled"));
  collect();
  EXPECT_TRUE(folder.has("runs/aaa000000000/code/a.py"));
}

TEST_F(Gc, LayersStayThatARecordOrANameLeadsTo) {
  const std::string recorded(64, 'a'), named(64, 'b'), part(64, 'c'), lost(64, 'd'), config(64, 'e');
  for (const std::string& digest : {recorded, part, lost, config})
    folder.write(cat("images/blobs/sha256/", digest), "x");
  folder.write(cat("images/blobs/sha256/", named), cat(R"({"layers":[{"digest":"sha256:)", part, R"("}]})"));
  folder.write("images/index.json", cat(R"({"manifests":[{"digest":"sha256:)", named, R"("}]})"));
  folder.write("layers/kept.json", cat(R"({"digest":")", recorded, R"("})"));
  folder.write("layers/lost.json", cat(R"({"digest":")", lost, R"("})"));
  remember_record({"", "image", "i"}, "a", old_ns,
                  {{"image", config, "", 1, "oci:i"}, {"layer", "", recorded, 1, "oci:"}});
  EXPECT_EQ(collect().layers, 1U);
  for (const std::string& digest : {recorded, named, part, config})
    EXPECT_TRUE(folder.has(cat("images/blobs/sha256/", digest))) << digest;
  EXPECT_FALSE(folder.has(cat("images/blobs/sha256/", lost)));
  EXPECT_TRUE(folder.has("layers/kept.json"));
  EXPECT_FALSE(folder.has("layers/lost.json"));
}

TEST_F(Gc, DropsWhatOnlySavedTime) {
  folder.write("proofs/a.proof", "p");
  folder.write("locks/0123", "");
  folder.write(cat("files/", digest_of("here").hex(), ".idx"), "i");
  folder.write(cat("files/", digest_of("gone").hex(), ".idx"), "i");
  folder.write("workspace/here/TRAINFILE.lua", "");
  remember_record({"here", "data", "d"}, "a", old_ns, {});
  remember_record({"gone", "data", "d"}, "a", old_ns, {});
  collect();
  EXPECT_FALSE(folder.has("proofs"));
  EXPECT_FALSE(folder.has("locks"));
  EXPECT_TRUE(folder.has(cat("files/", digest_of("here").hex(), ".idx")));
  EXPECT_FALSE(folder.has(cat("files/", digest_of("gone").hex(), ".idx")));
}

TEST_F(Gc, OfAnEmptyCacheRemovesNothing) {
  const Removed removed = collect();
  EXPECT_EQ(removed.blobs + removed.layers + removed.runs + removed.results + removed.bytes, 0U);
}

}  // namespace
}  // namespace trainmake
