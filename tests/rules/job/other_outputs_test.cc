// Jobs whose `outputs` are declared as others after they were begun: none is run again for that.
#include "rules/job/runs.h"
#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

// That its program wrote under another name than the one declared.
struct Misnamed : JobWorld {
  Misnamed() {
    set("command", list_of({"print"}));
    platform.ended_ns = clock.now_ns();
    clock.on_wait = [this] { leave("weights.txt"); };
  }
  void leave(const std::string& name) {
    if (!runs.runs.empty()) folder.write(cat("fake/", runs.runs[0].id, "/", name), "learned");
  }
  void declare(const std::string& path) { set("outputs", table_of({{"model", value_of(path)}})); }
};

TEST(OtherOutputs, AMissingOutputTellsWhatIsThereInstead) {
  Misnamed world;
  const auto done = world.execute();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("`model` (model.txt) was not written; in its output folder is "
                                      "`weights.txt`; once `outputs` names what is there, it is taken"),
            std::string::npos)
      << done.error().message;
}

TEST(OtherOutputs, WithOtherOutputsWhatItLeftIsTakenWithoutAnother) {
  Misnamed world;
  ASSERT_FALSE(world.execute());
  world.declare("weights.txt");
  const auto done = world.execute();
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->artifacts.size(), 1U);
  EXPECT_EQ(done->artifacts[0].sha256, world.blobs.put("learned")->hex());
  EXPECT_EQ(world.platform.starts, 1);
  ASSERT_EQ(world.runs.runs.size(), 1U);
  EXPECT_EQ(world.runs.runs[0].status, RunStatus::kSucceeded);
  EXPECT_EQ(world.runs.runs[0].outputs[0].path, "weights.txt");
  EXPECT_EQ(world.platform.ends.back().second, RunStatus::kSucceeded);
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 1) << "it has this fingerprint now";
}

TEST(OtherOutputs, OutputsThatAreWrongOnceMoreFailWithoutAnotherRunUntilItIsAskedFor) {
  Misnamed world;
  ASSERT_FALSE(world.execute());
  world.declare("wights.txt");
  const auto done = world.execute();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("`model` (wights.txt) was not written"), std::string::npos);
  EXPECT_EQ(world.platform.starts, 1);
  world.tries_again = true;
  ASSERT_FALSE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
  world.tries_again = false;
  world.declare("model.txt");
  ASSERT_FALSE(world.execute()) << "of the latest, which left no such thing";
  EXPECT_EQ(world.platform.starts, 2);
}

TEST(OtherOutputs, WhereNothingIsLeftAnyMoreItIsRunAgain) {
  Misnamed world;
  ASSERT_FALSE(world.execute());
  std::filesystem::remove_all(world.folder.path(cat("fake/", world.runs.runs[0].id)));
  world.declare("weights.txt");
  EXPECT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
}

TEST(OtherOutputs, WhatWasLeftIsOfAnotherJobWhenMoreThanItsOutputsChanged) {
  Misnamed world;
  ASSERT_FALSE(world.execute());
  world.declare("weights.txt");
  world.set("params", table_of({{"lr", value_of(0.5)}}));
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
}

TEST(OtherOutputs, WhatOneLeftThatItselfFailedIsNotTaken) {
  Misnamed world;
  world.set("command", list_of({"fail"}));
  ASSERT_FALSE(world.execute());
  world.declare("weights.txt");
  ASSERT_FALSE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
}

TEST(OtherOutputs, ARunThatTookOtherOutputsKeepsItsId) {
  Misnamed world;
  ASSERT_FALSE(world.execute());
  world.declare("weights.txt");
  ASSERT_TRUE(world.execute());
  world.declare("model.txt");
  ASSERT_FALSE(world.execute());
  ASSERT_EQ(world.runs.runs.size(), 2U) << "the one of the first fingerprint is of another now";
  EXPECT_EQ(world.platform.starts, 2);
}

// Still going when its `outputs` turn out to be called otherwise.
struct GoesOn : JobWorld {
  GoesOn() {
    set("command", list_of({"wait"}));
    platform.ended_ns = clock.now_ns();
    wait = false;
    EXPECT_TRUE(execute());
    wait = true;
    set("outputs", table_of({{"weights", value_of("weights.txt")}}));
  }
  void end() {
    folder.write(cat("fake/", runs.runs[0].id, "/weights.txt"), "learned");
    platform.release();
  }
};

TEST(OtherOutputs, OfOneThatGoesOnAreTakenFromItAndNoneIsBegunBesideIt) {
  GoesOn world;
  const Fingerprint before = world.runs.runs[0].fingerprint;
  world.clock.on_wait = [&] { world.end(); };
  const auto done = world.execute();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(world.platform.starts, 1);
  ASSERT_EQ(world.runs.runs.size(), 1U);
  const trainmake::Run& run = world.runs.runs[0];
  EXPECT_EQ(run.status, RunStatus::kSucceeded);
  EXPECT_NE(run.fingerprint, before);
  EXPECT_EQ(run.fingerprint, world.manifest().fingerprint());
  ASSERT_EQ(run.outputs.size(), 1U);
  EXPECT_EQ(run.outputs[0].path, "weights.txt");
  EXPECT_NE(run.provenance_json.find("weights.txt"), std::string::npos)
      << "whoever attaches to it keeps them";
  EXPECT_NE(world.messages().find(cat("Run ", run.id, " was begun with other `outputs`")), std::string::npos);
}

TEST(OtherOutputs, OfOneThatGoesOnAreNamedWhereItIsLeftToGoOn) {
  GoesOn world;
  world.wait = false;
  const auto left = world.execute();
  ASSERT_TRUE(left) << left.error().message;
  EXPECT_TRUE(left->detached);
  world.wait = true;
  world.end();
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 1);
}

TEST(OtherOutputs, OfOneThatIsAskedForAnewDoNotBeginAnotherEither) {
  GoesOn world;
  world.retry = true;
  world.clock.on_wait = [&] { world.end(); };
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 1);
}

TEST(OtherOutputs, OfOneThatGoesOnAreNotRehearsed) {
  GoesOn world;
  const auto here = std::make_shared<FakePlatform>(world.folder.path("here"));
  world.rehearsal = here;
  world.set("preflight", table_of({{"steps", value_of(std::int64_t{1})}}));
  world.clock.on_wait = [&] { world.end(); };
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(here->starts, 0);
}

TEST(OtherOutputs, BesideOneWithOtherParametersAnotherIsBegun) {
  GoesOn world;
  world.set("params", table_of({{"lr", value_of(0.5)}}));
  world.wait = false;
  ASSERT_TRUE(world.execute());
  EXPECT_EQ(world.platform.starts, 2);
}

TEST(OtherOutputs, AreOfTheSameWorkWhichOneAtATimeDoes) {
  JobWorld world;
  const Manifest before = world.manifest();
  world.set("outputs", table_of({{"weights", value_of("weights.txt")}}));
  EXPECT_EQ(world.rule().work_of(world.manifest()), world.rule().work_of(before));
  world.set("params", table_of({{"lr", value_of(0.5)}}));
  EXPECT_NE(world.rule().work_of(world.manifest()), world.rule().work_of(before));
}

TEST(OtherOutputs, ItsOwnIsTakenUpBeforeOneWithOthers) {
  const auto run_of = [](const char* id, const char* output) {
    trainmake::Run run;
    run.id = id;
    run.status = RunStatus::kRunning;
    run.manifest.add(Section::kAttr, "command", "=train");
    run.manifest.add(Section::kAttr, "outputs.model", output);
    run.manifest.seal();
    run.fingerprint = run.manifest.fingerprint();
    return run;
  };
  const trainmake::Run older = run_of("older", "a"), newer = run_of("newer", "b");
  EXPECT_EQ(run_to_take_up({newer, older}, older.manifest)->id, "older");
  EXPECT_EQ(run_to_take_up({newer, older}, run_of("", "c").manifest)->id, "newer");
  trainmake::Run repeats = newer;
  repeats.repeats = "older";
  EXPECT_FALSE(run_to_take_up({repeats}, newer.manifest)) << "who asked for a repeat waits for that";
  EXPECT_FALSE(run_to_take_up({older}, Manifest())) << "another job";
}

}  // namespace
}  // namespace trainmake
