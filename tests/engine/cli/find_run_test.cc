#include "engine/cli/find_run.h"

#include <set>

#include "tests/engine/cli/looking_back.h"

namespace trainmake {
namespace {

const std::string kForms =
    "Name it by its label, its id or a start of that, or the platform's id of its job; `trainmake runs` "
    "lists "
    "runs";

struct FindRun : testing::Test, LookingBack {
  std::string of_id(const std::string& start) { return told(run_of_id(*state, start, "")); }
  std::set<std::string> going_on;
  std::string of_label(const Label& label, WhichRun which = WhichRun::kResult) {
    return told(run_of_label(*state, label, "", which,
                             [&](const trainmake::Run& run) { return going_on.contains(run.id); }));
  }

 private:
  static std::string told(const Result<trainmake::Run>& run) {
    return run ? run->id : cat(run.error().message, " | ", run.error().hint);
  }
};

TEST_F(FindRun, ByItsIdOrAUniqueStartOfIt) {
  put(run_of({"abc000000000", job("x")}));
  put(run_of({"abd000000000", job("x")}));
  EXPECT_EQ(of_id("abc000000000"), "abc000000000");
  EXPECT_EQ(of_id("abd"), "abd000000000");
}

TEST_F(FindRun, AStartOfSeveralListsThem) {
  put(run_of({"abd000000000", job("y"), RunStatus::kSucceeded, 1}));
  put(run_of({"abc000000000", job("x"), RunStatus::kSucceeded, 2}));
  EXPECT_EQ(of_id("ab"),
            "More than one run begins with `ab`: `abc000000000` (job:x), `abd000000000` (job:y) | Give some "
            "more of it");
}

TEST_F(FindRun, ByThePlatformsIdOfItsJob) {
  auto there = run_of({"abc000000000", job("x")});
  there.job = "uaitrain-k3v";
  put(there);
  put(run_of({"abd000000000", job("x")}));
  EXPECT_EQ(of_id("uaitrain-k3v"), "abc000000000");
  EXPECT_EQ(of_id("uaitrain-k3"), "There is no run `uaitrain-k3` | " + kForms);
}

TEST_F(FindRun, APlatformsIdThatMayBeAnotherRunIsAskedAbout) {
  auto there = run_of({"abc000000000", job("x"), RunStatus::kSucceeded, 1});
  there.job = "42";
  put(there);
  put(run_of({"42d000000000", job("y"), RunStatus::kSucceeded, 2}));
  EXPECT_EQ(of_id("42"),
            "More than one run is meant by `42`: `42d000000000` (job:y), `abc000000000` (job:x) | Name it by "
            "its own id");
}

TEST_F(FindRun, AnUnknownOneSaysWhatWasMeantOrWhereTheyAreListed) {
  put(run_of({"abc000000000", job("mnist")}));
  EXPECT_EQ(of_id("ffff"), "There is no run `ffff` | " + kForms);
  EXPECT_EQ(of_id("mnist"), "There is no run `mnist` | Did you mean `job:mnist`?");
  EXPECT_EQ(of_id("abc000000001"), "There is no run `abc000000001` | Did you mean `abc000000000`?");
  EXPECT_EQ(of_id(""), "There is no run `` | " + kForms);
}

TEST_F(FindRun, OfALabelTheOneWhoseResultItHas) {
  const auto first = run_of({"aaa000000000", job("x"), RunStatus::kSucceeded, 1, "a"});
  const auto second = run_of({"bbb000000000", job("x"), RunStatus::kSucceeded, 2, "b"});
  put(first);
  put(second);
  remember(second);
  remember(first);  // an edit undone
  EXPECT_EQ(of_label(job("x")), "aaa000000000");
}

TEST_F(FindRun, OfALabelWithoutAResultTheLatest) {
  put(run_of({"aaa000000000", job("x"), RunStatus::kFailed, 1}));
  put(run_of({"bbb000000000", job("x"), RunStatus::kFailed, 2}));
  put(run_of({"ccc000000000", job("y"), RunStatus::kFailed, 3}));
  EXPECT_EQ(of_label(job("x")), "bbb000000000");
}

TEST_F(FindRun, InFlightIsPreferredWhenThatIsWhatIsWanted) {
  const auto done = run_of({"aaa000000000", job("x"), RunStatus::kSucceeded, 1});
  put(done);
  remember(done);
  EXPECT_EQ(of_label(job("x"), WhichRun::kLatest), "aaa000000000");
  put(run_of({"bbb000000000", job("x"), RunStatus::kRunning, 0, "b"}));
  EXPECT_EQ(of_label(job("x")), "aaa000000000");
  EXPECT_EQ(of_label(job("x"), WhichRun::kLatest), "bbb000000000") << "it ended, and was not looked at since";
  EXPECT_EQ(of_label(job("x"), WhichRun::kUnfinished), "bbb000000000");
  going_on.insert("bbb000000000");
  EXPECT_EQ(of_label(job("x"), WhichRun::kLatest), "bbb000000000");
}

TEST_F(FindRun, OneThatJustFailedIsNotTakenForAnEarlierSuccess) {
  const auto done = run_of({"aaa000000000", job("x"), RunStatus::kSucceeded, 1});
  put(done);
  remember(done);
  put(run_of({"bbb000000000", job("x"), RunStatus::kFailed, 2, "b"}));
  EXPECT_EQ(of_label(job("x"), WhichRun::kLatest), "bbb000000000");
  EXPECT_EQ(of_label(job("x")), "aaa000000000");
}

TEST_F(FindRun, OneThatFailedAfterTheClockWasSetBackIsTheLatestToo) {
  const auto done = run_of({"aaa000000000", job("x"), RunStatus::kSucceeded, 1000});
  put(done);
  remember(done);
  put(run_of({"bbb000000000", job("x"), RunStatus::kFailed, 2, "b"}));
  EXPECT_EQ(of_label(job("x"), WhichRun::kLatest), "bbb000000000");
  remember(done);  // an edit undone
  EXPECT_EQ(of_label(job("x"), WhichRun::kLatest), "aaa000000000");
}

TEST_F(FindRun, ALabelThatNeverRanSaysHowToRunIt) {
  put(run_of({"aaa000000000", job("train")}));
  EXPECT_EQ(of_label(job("eval")),
            "`job:eval` has not run yet | `trainmake plan job:eval` says what would run");
  EXPECT_EQ(of_label(job("trein")), "`job:trein` has not run yet | Did you mean `job:train`?");
  EXPECT_EQ(of_label({"", "data", "d"}),
            "`data:d` is no job, and only jobs have runs | `trainmake runs` lists them");
}

TEST(RunNames, ALabelIsToldFromAnId) {
  for (const char* label : {"job:x", "//job:x", "//...", "a/b/job:x"}) EXPECT_TRUE(is_label_like(label));
  for (const char* id : {"abc000000000", "a", "", "mnist"}) EXPECT_FALSE(is_label_like(id));
}

}  // namespace
}  // namespace trainmake
