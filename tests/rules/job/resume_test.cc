// `resume = true`: a run goes on from the checkpoint that the one before left, however that ended.
#include "rules/job/checkpoint.h"
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
  const auto kept = keep_checkpoint(world.host.files, world.blobs, world.folder.path("left"), {});
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

TEST(Resume, AnEmptyFolderIsNoCheckpoint) {
  LocalWorld world;
  std::filesystem::create_directories(world.folder.path("left/empty"));
  const auto kept = keep_checkpoint(world.host.files, world.blobs, world.folder.path("left"), {});
  ASSERT_TRUE(kept);
  EXPECT_FALSE(*kept);
}

}  // namespace
}  // namespace trainmake
