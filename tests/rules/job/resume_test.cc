// `resume = true`: a run goes on from the checkpoint that the one before left, however that ended.
#include <map>

#include "engine/base/file_marks.h"
#include "rules/job/checkpoint.h"
#include "rules/job/contracts.h"
#include "tests/rules/job/job_world.h"
#include "tests/rules/job/local_world.h"

namespace trainmake {
namespace {

struct ResumeWorld : JobWorld {
  ResumeWorld() { set("resume", value_of(true)); }

  void train(const std::string& word, double rate) {
    set("command", list_of({word}));
    set("params", table_of({{"lr", value_of(rate)}}));
    (void)execute();
  }
  std::string resumed_by_newest() {
    const std::optional<Checkpoint> resumed = platform.spec_of(runs.runs.front().key).resumed;
    return resumed ? resumed->run : "nothing";
  }
};

TEST(Resume, TheFirstRunGoesOnFromNothing) {
  ResumeWorld world;
  world.train("succeed", 1);
  EXPECT_EQ(world.resumed_by_newest(), "nothing");
  EXPECT_EQ(world.platform.spec_of(world.runs.runs[0].key).checkpoint, cat("run-", world.runs.runs[0].id));
}

TEST(Resume, ANextOneGoesOnFromTheLastHoweverThatEnded) {
  for (const char* end : {"succeed", "fail"}) {
    ResumeWorld world;
    world.train(end, 1);
    const std::string first = world.runs.runs[0].id;
    std::filesystem::remove_all(world.folder.path("fake"));  // it is kept
    world.train("succeed", 2);
    EXPECT_EQ(world.resumed_by_newest(), first) << end;
    const Checkpoint resumed = *world.platform.spec_of(world.runs.runs[0].key).resumed;
    ASSERT_TRUE(resumed.files);
    EXPECT_EQ(**world.blobs.read(resumed.files->front().sha256), "first");
    EXPECT_NE(world.messages().find(cat("Goes on from the checkpoint of run ", first, " (1 file, ")),
              std::string::npos);
  }
}

TEST(Resume, ACheckpointIsOnTheDiskBeforeTheRunIsRememberedAsOver) {
  for (const char* end : {"succeed", "fail"}) {
    ResumeWorld world;
    int ends = 0;
    world.runs.on_put = [&](const trainmake::Run& run) {
      if (!is_over(run.status)) return;
      ++ends;
      const std::optional<ToldCheckpoint> left = told_left(run);
      ASSERT_TRUE(left);
      for (const Sha256& digest :
           {*Sha256::parse(left->listing), *Sha256::parse(left->times), sha256_of("first")})
        EXPECT_TRUE(world.blob_files.synced.contains(world.blobs.path(digest))) << end;
    };
    world.train(end, 1);
    EXPECT_EQ(ends, 1);
  }
}

TEST(Resume, WhatIsResumedFromIsRememberedAndNoLineOfTheManifest) {
  ResumeWorld world;
  world.train("succeed", 1);
  const Fingerprint before = world.manifest().fingerprint();
  world.train("succeed", 2);
  world.set("params", table_of({{"lr", value_of(1.0)}}));
  EXPECT_EQ(world.manifest().fingerprint(), before);
  Listings listings(world.blobs);
  const auto resumed = resumed_by(listings, world.runs.runs[0]);
  ASSERT_TRUE(resumed && *resumed);
  EXPECT_EQ((*resumed)->run, world.runs.runs[1].id);
  EXPECT_EQ((*resumed)->listing, checkpoint_left_by(world.runs.runs[1]));
}

TEST(Resume, AnotherAttemptGoesOnFromWhatTheLastInVainLeftAndSaysSo) {
  ResumeWorld world;
  world.set("resume", value_of(false));
  world.train("fail", 1);
  const std::string first = world.runs.runs[0].id;
  world.folder.write(cat("fake/", first, "-checkpoint/step"), "7");
  world.retry = true;
  world.train("fail", 1);
  EXPECT_EQ(world.resumed_by_newest(), first);
  EXPECT_EQ(world.platform.spec_of(world.runs.runs[0].key).checkpoint, cat("run-", world.runs.runs[0].id));
  EXPECT_EQ(told_resumed(world.runs.runs[0])->run, first);
  EXPECT_EQ(told_resumed(world.runs.runs[0])->bytes, 1U);
  world.train("fail", 2);
  EXPECT_EQ(world.resumed_by_newest(), "nothing") << "of other parameters";
}

TEST(Resume, AnAttemptAfterASuccessBeginsWithNothing) {
  ResumeWorld world;
  world.set("resume", value_of(false));
  world.train("fail", 1);
  world.folder.write(cat("fake/", world.runs.runs[0].id, "-checkpoint/step"), "7");
  trainmake::Run success = world.runs.runs[0];
  success.status = RunStatus::kSucceeded;
  success.id = "aaaaaaaaaaaa";
  success.attempt = 2;
  world.runs.runs.insert(world.runs.runs.begin(), success);
  world.retry = true;
  world.train("fail", 1);
  EXPECT_EQ(world.resumed_by_newest(), "nothing");
}

TEST(Resume, AFolderThatIsGoneIsToldAndOneThatWasEmptyIsNot) {
  for (const bool is_gone : {true, false}) {
    ResumeWorld world;
    world.set("resume", value_of(false));
    world.train("fail", 1);
    const std::string first = world.runs.runs[0].id;
    if (is_gone) std::filesystem::remove_all(world.folder.path("fake"));
    world.retry = true;
    world.train("fail", 1);
    const std::string told = cat("Nothing goes on from run ", first, ": its checkpoint folder `");
    EXPECT_EQ(world.messages().find(told) != std::string::npos, is_gone);
  }
}

TEST(Resume, OneThatNeverStartedOrGoesOnIsPassedOver) {
  ResumeWorld world;
  world.train("succeed", 1);
  const std::string first = world.runs.runs[0].id;
  world.platform.failing_submits = 1;
  world.platform.submit_blame = Blame::kUser;
  world.train("succeed", 2);
  world.wait = false;
  world.train("wait", 3);
  world.train("succeed", 4);
  EXPECT_EQ(world.resumed_by_newest(), first);
}

TEST(Resume, OfARunFromBeforeItSaidSoItIsTakenWhereItLies) {
  ResumeWorld world;
  world.set("resume", value_of(false));
  world.train("fail", 1);
  const std::string first = world.runs.runs[0].id;
  EXPECT_EQ(checkpoint_left_by(world.runs.runs[0]), "");
  world.folder.write(cat("fake/", first, "-checkpoint/deep/step"), "7");
  world.set("resume", value_of(true));
  world.train("succeed", 1);
  EXPECT_EQ(world.resumed_by_newest(), first);
}

TEST(Resume, ACheckpointThatIsNotWholeAnyMoreIsToldAndTheOneBeforeIsTaken) {
  ResumeWorld world;
  world.train("succeed", 1);
  const std::string first = world.runs.runs[0].id;
  world.train("succeed", 2);
  const std::string second = world.runs.runs[0].id;
  ASSERT_TRUE(world.blobs.remove(*Sha256::parse(checkpoint_left_by(world.runs.runs[0]))));
  std::filesystem::remove_all(world.folder.path("fake"));
  world.train("succeed", 3);
  EXPECT_EQ(world.resumed_by_newest(), first);
  EXPECT_NE(world.messages().find(cat("The checkpoint of run ", second, " is no longer in the cache")),
            std::string::npos);
}

TEST(Resume, OneInFlightKeepsWhatItWasBegunWith) {
  ResumeWorld world;
  world.train("succeed", 1);
  const std::string first = world.runs.runs[0].id;
  world.platform.failing_submits = 1;  // it may have started
  world.train("succeed", 2);
  world.train("succeed", 2);
  EXPECT_EQ(world.runs.runs.size(), 2U);
  EXPECT_EQ(world.resumed_by_newest(), first);
}

TEST(Resume, LinksAndModesOfACheckpointAreKept) {
  LocalWorld world;
  world.folder.write("left/step-2/model", "weights");
  std::filesystem::permissions(world.folder.path("left/step-2/model"), std::filesystem::perms::owner_all);
  std::filesystem::create_directory_symlink("step-2", world.folder.path("left/latest"));
  const auto kept = keep_checkpoint(world.host.files, world.blobs, {world.folder.path("left")}, {});
  ASSERT_TRUE(kept && *kept);
  JobSpec spec =
      script_spec(1,
                  "cat $TRAINMAKE_CHECKPOINT_DIR/latest/model; echo; readlink "
                  "$TRAINMAKE_CHECKPOINT_DIR/latest; test -x $TRAINMAKE_CHECKPOINT_DIR/latest/model && "
                  "echo 3 >$TRAINMAKE_CHECKPOINT_DIR/step-2/model");
  spec.resumed = **kept;
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "weights\nstep-2\n");
  EXPECT_EQ(world.folder.read("left/step-2/model"), "weights");
  EXPECT_EQ(**world.blobs.read((*kept)->files->back().sha256), "weights");
}

TEST(Resume, ALinkIntoTheCheckpointItselfIsKeptAsARelativeOne) {
  LocalWorld world;
  const std::string own = world.folder.path("left");
  world.folder.write("left/a/x", "");
  const auto link = [&](const char* at, const std::string& to) {
    std::filesystem::create_symlink(to, world.folder.path(cat("left/", at)));
  };
  link("1", own + "/a/x");
  link("a/2", "/seen/here/a/x");
  link("a/3", "/moved/since/run-0123456789ab/a");
  link("4", "/seen/here");
  link("5", "/etc/passwd");
  link("6", "/seen/here/../x");
  link("7", own + "-too/x");
  link("8", "a/x");
  link("9", "/runs/w/0123456789ab/places/opt/ml/checkpoints/a");
  const auto kept = keep_checkpoint(world.host.files, world.blobs,
                                    {own, "/seen/here", "0123456789ab", "/opt/ml/checkpoints"}, {});
  ASSERT_TRUE(kept && *kept);
  std::map<std::string, std::string> links;
  for (const ListedFile& file : *(*kept)->files) links[file.key] = file.link_target;
  EXPECT_EQ(links, (std::map<std::string, std::string>{{"1", "a/x"},
                                                       {"4", "."},
                                                       {"5", "/etc/passwd"},
                                                       {"6", "/seen/here/../x"},
                                                       {"7", own + "-too/x"},
                                                       {"8", "a/x"},
                                                       {"9", "a"},
                                                       {"a/2", "../a/x"},
                                                       {"a/3", "../a"},
                                                       {"a/x", ""}}));
}

TEST(Resume, ATextThatNamesAnEarlierRunsFolderIsTold) {
  for (const auto& [text, names] :
       {std::pair("/checkpoints/run-ID/m", true), std::pair("all: \"/w/run-ID\"", true),
        std::pair("run-ID/m", false), std::pair("/run-IDff/m", false), std::pair("/runs/ID/places/opt", true),
        std::pair("/runs/ID/output", false)}) {
    ResumeWorld world;
    world.set("resume", value_of(false));
    world.train("fail", 1);
    const std::string first = world.runs.runs[0].id;
    std::string words = text;
    words.replace(words.find("ID"), 2, first);
    world.folder.write(cat("fake/", first, "-checkpoint/named"), words);
    world.retry = true;
    world.train("fail", 1);
    EXPECT_EQ(world.messages().find("In it `named` names the checkpoint folder of an earlier run") !=
                  std::string::npos,
              names)
        << text;
    EXPECT_EQ(world.resumed_by_newest(), first);
  }
}

TEST(Resume, AllRunsSeeTheirCheckpointFolderAtOnePath) {
  LocalWorld world;
  const std::string at = world.folder.path("cache/checkpoint");
  std::filesystem::create_directories(at);
  if (!can_show({at, at})) GTEST_SKIP() << "no mounts here";
  const std::string script = cat("cd $TRAINMAKE_CHECKPOINT_DIR; echo $TRAINMAKE_CHECKPOINT_DIR; cat step ",
                                 at, "/step 2>/dev/null; echo $TRAINMAKE_RUN >step; ls");
  JobSpec first = script_spec(1, script), second = script_spec(2, script);
  first.resume = second.resume = true;
  for (const JobSpec& spec : {first, second}) {
    EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
    EXPECT_EQ(world.log(spec), cat(at, "\nstep\n"));
    const JobHandle job{spec.run, spec.key, ""};
    EXPECT_EQ(*world.platform.left(job, {Left::kCheckpointSeen}), at);
    EXPECT_EQ(*world.platform.left(job, {Left::kCheckpoint}),
              world.folder.path(cat("cache/checkpoints/", spec.checkpoint)));
    EXPECT_EQ(world.folder.read(cat("cache/checkpoints/", spec.checkpoint, "/step")), spec.run + "\n");
  }
  EXPECT_FALSE(world.folder.has("cache/checkpoint/step"));
}

TEST(Resume, WithoutItACheckpointFolderIsNoDiskOfItsOwn) {
  LocalWorld world;
  const JobSpec spec = script_spec(
      1, "touch $TRAINMAKE_CHECKPOINT_DIR/m && ln $TRAINMAKE_CHECKPOINT_DIR/m $TRAINMAKE_OUTPUT_DIR/m");
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
}

TEST(Resume, UnderAContractWithFoldersOfItsOwnItIsBelowTheRun) {
  LocalWorld world({}, *contract_named(Space(), "ti"));
  JobSpec spec = script_spec(1, "echo $TRAINMAKE_CHECKPOINT_DIR");
  spec.resume = true;
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), world.folder.path(cat("cache/checkpoints/", spec.checkpoint, "\n")));
  EXPECT_EQ(*world.platform.left({spec.run, spec.key, ""}, {Left::kCheckpointSeen}), "");
}

TEST(Resume, AnEmptyFolderIsNoCheckpoint) {
  LocalWorld world;
  for (const char* folder : {"left", "left/empty"}) {
    std::filesystem::create_directories(world.folder.path(folder));
    const auto kept = keep_checkpoint(world.host.files, world.blobs, {world.folder.path("left")}, {});
    ASSERT_TRUE(kept);
    EXPECT_FALSE(*kept);
  }
}

TEST(Checkpoint, TimesAndEmptyFoldersComeBackAndTheContentIsKnownByItselfAlone) {
  LocalWorld world;
  for (const char* name : {"left/step-10", "left/step-9"}) world.folder.write(name, name);
  std::filesystem::create_directories(world.folder.path("left/plots/none"));
  const auto give = [&](const char* name, std::int64_t mtime_ns) {
    ASSERT_TRUE(set_mtime(world.folder.path(name), mtime_ns));
  };
  give("left/step-9", 1'000'000'000'000'000'007);
  give("left/step-10", 1'000'000'000'000'000'009);
  give("left/plots/none", -1'500'000'000);
  world.folder.write("left/a/b/late", "");
  world.folder.write("left/a/early", "");
  give("left/a/b/late", 2'000'000'000'000'000'000);
  give("left/a/early", 1'000'000'000'000'000'000);
  const auto keep = [&] {
    return **keep_checkpoint(world.host.files, world.blobs, {world.folder.path("left")}, {});
  };
  const Checkpoint kept = keep();
  EXPECT_EQ(size_text(kept), "4 files, 23 B");

  JobSpec spec = script_spec(
      1, "cd $TRAINMAKE_CHECKPOINT_DIR; ls -t step*; find plots; stat -c %Y step-9 plots/none a a/b");
  spec.resumed = kept;
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "step-10\nstep-9\nplots\nplots/none\n1000000000\n-2\n2000000000\n2000000000\n");

  give("left/step-9", 1'000'000'000'000'000'011);
  const Checkpoint later = keep();
  EXPECT_EQ(later.listing, kept.listing);
  EXPECT_NE(later.times, kept.times);
}

TEST(Checkpoint, OneThatWasKeptWithoutTimesOrLostThemIsLaidOutAllTheSame) {
  for (const bool is_lost : {true, false}) {
    LocalWorld world;
    world.folder.write("left/step", "1");
    Checkpoint kept = **keep_checkpoint(world.host.files, world.blobs, {world.folder.path("left")}, {});
    if (is_lost) {
      ASSERT_TRUE(world.blobs.remove(*Sha256::parse(kept.times)));
    }
    if (!is_lost) kept.times.clear();
    JobSpec spec = script_spec(1, "cat $TRAINMAKE_CHECKPOINT_DIR/step");
    spec.resumed = kept;
    EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
    EXPECT_EQ(world.log(spec), "1");
  }
}

}  // namespace
}  // namespace trainmake
