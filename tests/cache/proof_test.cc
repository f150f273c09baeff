#include "cache/proof.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <thread>

#include "cache/proof_file.h"
#include "engine/base/text.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

// A workspace, and a proof of everything in it.
struct World {
  World() {
    for (const char* path : {"a.py", "code/b.py", "code/deep/c.py", "code/deep/d.py", "code.old/e.py"})
      files.put(cat("/root/", path), path);
    files.put("/etc/gitconfig", "x");
    files.put("/data/big", "y");
    files.put_link("/root/code/link", "b.py");
    files.put_link("/root/code/far", "/data/big");
    for (const char* path : {"a.py", "code/b.py", "code/deep/c.py", "code/deep/d.py", "code.old/e.py",
                             "code/link", "/etc/gitconfig", "absent", "code/.gitignore"}) {
      proof.looks.files.push_back({path, look(path)});
    }
    proof.looks.files.push_back({"code/far", look("code/far", Links::kFollow), std::nullopt, Links::kFollow});
    for (const char* path : {"", "code", "code/deep"}) proof.looks.folders.push_back({path, look(path)});
    proof.looks.variables = {{"SET", digest_of("1")}, {"UNSET", std::nullopt}};
    environment.variables = {{"SET", "1"}, {"OTHER", "2"}};
    proof.generation = 42;
    proof.up_to_date = {{"", "code", "mnist"}, {"vision", "job", "eval"}};
  }

  Stat look(const std::string& path, Links links = Links::kKeep) {
    return *files.look(path_join("/root", path), links);
  }
  bool save() {
    const Result<bool> saved = save_proof(host, "/cache", "job:mnist", proof, files.now_ns + 1'000'000'000);
    EXPECT_TRUE(saved);
    return saved && *saved;
  }
  std::optional<ProofHolds> check(std::uint64_t generation = 42) {
    return check_proof(host, "/root", "/cache", "job:mnist", generation);
  }
  std::string proof_path() {
    for (const std::string& path : files.all_files()) {
      if (path.ends_with(".proof")) return "/" + path;
    }
    return "";
  }

  MemFileSystem files;
  FakeClock clock;
  FakeProcesses processes;
  FakeHttp http;
  Environment environment;
  Host host{files, processes, http, clock, environment};
  Proof proof;
};

TEST(Proof, HoldsWhileNothingChanges) {
  World world;
  ASSERT_TRUE(world.save());
  const auto holds = world.check();
  ASSERT_TRUE(holds);
  EXPECT_EQ(holds->up_to_date, world.proof.up_to_date);
  EXPECT_EQ(holds->looked_at, 8U) << "what was not there was not a file";
}

TEST(Proof, ThereIsNoneAtFirst) { EXPECT_FALSE(World().check()); }

TEST(Proof, AnyChangeOfAnythingLookedAtEndsIt) {
  using Change = void (*)(World&);
  const Change changes[] = {
      [](World& world) { world.files.put("/root/a.py", "new"); },
      [](World& world) { world.files.touch("/root/code/b.py"); },
      [](World& world) { world.files.take_away("/root/code/deep/d.py"); },
      [](World& world) { world.files.touch("/root/code.old/e.py"); },
      [](World& world) { world.files.put("/root/absent", ""); },
      [](World& world) { world.files.put("/root/code/.gitignore", ""); },
      [](World& world) { world.files.put("/root/code/deep/new.py", ""); },
      [](World& world) { world.files.put("/root/new.py", ""); },
      [](World& world) { world.files.touch("/etc/gitconfig"); },
      [](World& world) { world.files.touch("/data/big"); },
      [](World& world) {
        world.files.take_away("/root/code/link");
        world.files.put_link("/root/code/link", "c.py");
      },
      [](World& world) { world.environment.variables["SET"] = "2"; },
      [](World& world) { world.environment.variables.erase("SET"); },
      [](World& world) { world.environment.variables["UNSET"] = ""; },
      [](World& world) { world.files.refuse("look /etc/gitconfig", EACCES); },
  };
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    World world;
    ASSERT_TRUE(world.save());
    ASSERT_TRUE(world.check());
    changes[i](world);
    EXPECT_FALSE(world.check()) << "change " << i;
  }
}

TEST(Proof, OtherVariablesAndFilesDoNotMatter) {
  World world;
  ASSERT_TRUE(world.save());
  world.environment.variables["OTHER"] = "3";
  world.files.put("/root/code.old/new.py", "");  // a folder that was not listed
  EXPECT_TRUE(world.check());
}

TEST(Proof, AnotherGenerationOrRequestHasNone) {
  World world;
  ASSERT_TRUE(world.save());
  EXPECT_FALSE(world.check(43));
  EXPECT_FALSE(check_proof(world.host, "/root", "/cache", "job:eval", 42));
}

TEST(Proof, NothingIsSavedOfARacyLook) {
  World world;
  EXPECT_FALSE(*save_proof(world.host, "/cache", "job:mnist", world.proof,
                           world.look("code/b.py").mtime_ns + 5'000'000));
  EXPECT_EQ(world.proof_path(), "");
}

TEST(Proof, TheEarliestLookCounts) {
  World world;
  world.files.touch("/root/a.py");
  world.proof.looks.files.push_back({"a.py", world.look("a.py")});
  ASSERT_TRUE(world.save());
  EXPECT_FALSE(world.check());
}

TEST(Proof, ADamagedOneIsNone) {
  World world;
  ASSERT_TRUE(world.save());
  const std::string path = world.proof_path(), whole = world.files.content(path);
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    world.files.put(path, flipped);
    EXPECT_FALSE(world.check()) << at;
    world.files.put(path, whole.substr(0, at));
    EXPECT_FALSE(world.check()) << at;
  }
  world.files.put(path, whole);
  EXPECT_TRUE(world.check());
}

TEST(Proof, OneOfAnotherProgramIsNone) {
  World world;
  ASSERT_TRUE(world.save());
  world.files.put(world.proof_path(), encode_proof(world.proof, "0.0.0-other", "job:mnist"));
  EXPECT_FALSE(world.check());
}

TEST(Proof, SixtyFourAreKept) {
  World world;
  for (int i = 0; i < 70; ++i)
    ASSERT_TRUE(
        *save_proof(world.host, "/cache", cat("job:", i), world.proof, world.files.now_ns + 1'000'000'000));
  EXPECT_EQ(world.files.list("/cache/proofs")->size(), 64U);
  EXPECT_FALSE(check_proof(world.host, "/root", "/cache", "job:5", 42));
  EXPECT_TRUE(check_proof(world.host, "/root", "/cache", "job:6", 42));
}

TEST(Proof, WhatChangedLastIsLookedAtFirst) {
  Proof proof;
  for (int i = 0; i < 40; ++i)
    proof.looks.files.push_back(
        {cat("folder-", 10 + i, "/a"), {1, i == 33 ? 99 : i, 5, 1, 0644, FileKind::kFile}});
  const std::string bytes = encode_proof(proof, "1", "job:mnist");
  const std::optional<ProofView> view = parse_proof(bytes);
  ASSERT_TRUE(view);
  ASSERT_EQ(view->groups.size(), 40U);
  EXPECT_EQ(parse_proof_group(view->groups[0])->folder, "folder-43");
  EXPECT_EQ(parse_proof_group(view->groups[1])->folder, "folder-49");
  EXPECT_EQ(parse_proof_group(view->groups[16])->folder, "folder-10") << "the rest comes as a walk meets it";
  EXPECT_EQ(parse_proof_group(view->groups[17])->folder, "folder-11");
}

TEST(Proof, ChecksAFolderWithOneQuestion) {
  World world;
  for (int i = 0; i < 500; ++i) {
    world.files.put(cat("/root/code/many/", i), "x");
    world.proof.looks.files.push_back({cat("code/many/", i), world.look(cat("code/many/", i))});
  }
  world.proof.looks.folders = {};
  ASSERT_TRUE(world.save());
  world.files.take_log();
  ASSERT_TRUE(world.check());
  EXPECT_LT(world.files.take_log().size(), 20U);
}

TEST(ProofOnDisk, ThousandsOfFilesHoldAndOneChangeEndsIt) {
  const ScratchFolder folder;
  Environment environment;
  Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  Proof proof;
  for (int i = 0; i < 6000; ++i) {
    const std::string path = cat("d", i % 3, "/f", i);
    folder.write("root/" + path, "x");
    proof.looks.files.push_back({path, *real_file_system().look(folder.path("root/" + path))});
  }
  const std::int64_t later_ns = real_clock().now_ns() + 3'000'000'000;
  ASSERT_TRUE(*save_proof(host, folder.path("cache"), "all", proof, later_ns));
  EXPECT_EQ(check_proof(host, folder.path("root"), folder.path("cache"), "all", 0)->looked_at, 6000U);
  std::filesystem::rename(folder.path("root"), folder.path("moved"));
  EXPECT_TRUE(check_proof(host, folder.path("moved"), folder.path("cache"), "all", 0))
      << "files keep their stats when a folder above moves";
  folder.write("moved/d2/f5999", "y");
  EXPECT_FALSE(check_proof(host, folder.path("moved"), folder.path("cache"), "all", 0));
}

}  // namespace
}  // namespace trainmake
