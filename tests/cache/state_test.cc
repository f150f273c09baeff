#include "cache/state.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <thread>

#include "cache/sqlite.h"
#include "tests/cache/some_records.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

using Access = State::Access;

struct StateTest : testing::Test {
  std::unique_ptr<State> open(Access access = Access::kWrite) {
    Result<std::unique_ptr<State>> state = State::open(cache, access);
    if (!state) ADD_FAILURE() << state.error().message;
    return state ? *std::move(state) : nullptr;
  }
  Error refused(Access access) {
    Result<std::unique_ptr<State>> state = State::open(cache, access);
    return state ? Error{"was opened", "", {}, Blame::kBug} : state.error();
  }
  std::set<std::string> names() {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(cache)) all.insert(entry.path().filename());
    return all;
  }
  void sql(const std::string& text) {
    ASSERT_TRUE((*Database::open(cache + "/state.db", Database::Mode::kWrite))->run(text.c_str()));
  }
  void overwrite(std::size_t start, std::size_t length) {
    std::string bytes = folder.read("cache/state.db");
    for (std::size_t i = start; i < std::min(start + length, bytes.size()); ++i)
      bytes[i] = static_cast<char>(i * 7 + 3);
    folder.write("cache/state.db", bytes);
  }

  ScratchFolder folder;
  std::string cache = folder.path("cache");
  Record record = some_record("mnist", 1);
};

TEST_F(StateTest, LookingWhereNothingIsMakesNothing) {
  const auto state = open(Access::kLook);
  EXPECT_FALSE(*state->last(record.label));
  EXPECT_TRUE(state->all()->empty());
  EXPECT_TRUE(state->generation());
  EXPECT_FALSE(std::filesystem::exists(cache));
}

TEST_F(StateTest, LookingLeavesNoFilesBeside) {
  ASSERT_TRUE(open()->remember(record));
  ASSERT_EQ(names(), (std::set<std::string>{".gitignore", "state.db"}));
  const auto state = open(Access::kLook);
  EXPECT_TRUE(same(**state->last(record.label), record));
  EXPECT_EQ(names(), (std::set<std::string>{".gitignore", "state.db"}));
}

TEST_F(StateTest, LookingSeesWhatAnotherIsWriting) {
  const auto writer = open();
  ASSERT_TRUE(writer->remember(record));
  const auto looker = open(Access::kLook);
  EXPECT_TRUE(same(**looker->last(record.label), record));
  const Record second = some_record("mnist", 2);
  ASSERT_TRUE(writer->remember(second));
  EXPECT_TRUE(same(**looker->last(record.label), second));
}

TEST_F(StateTest, ALookThatBeganBeforeAWriteSeesIt) {
  ASSERT_TRUE(open()->remember(record));
  const auto looker = open(Access::kLook);
  ASSERT_TRUE(*looker->last(record.label));
  const Record second = some_record("mnist", 2);
  ASSERT_TRUE(open()->remember(second));  // opened, written and closed meanwhile
  EXPECT_TRUE(same(**looker->last(record.label), second));
}

TEST_F(StateTest, ACopyThatBeganBeforeAWriteHasIt) {
  ASSERT_TRUE(open()->remember(record));
  const auto looker = open(Access::kLook);
  const Record second = some_record("mnist", 2);
  ASSERT_TRUE(open()->remember(second));
  std::filesystem::create_directories(folder.path("copy"));
  const Result<void> copied = looker->copy_to(folder.path("copy/state.db"));
  ASSERT_TRUE(copied) << copied.error().message;
  cache = folder.path("copy");
  EXPECT_TRUE(same(**open()->last(record.label), second));
}

TEST_F(StateTest, ACopyTakesThePlaceOfWhatWasThere) {
  ASSERT_TRUE(open()->remember(record));
  folder.write("copy/state.db", "something else");
  const Result<void> copied = open(Access::kLook)->copy_to(folder.path("copy/state.db"));
  ASSERT_TRUE(copied) << copied.error().message;
  cache = folder.path("copy");
  EXPECT_TRUE(same(**open()->last(record.label), record));
}

TEST_F(StateTest, ALogThatACrashLeftIsReadWithoutATrace) {
  {
    const auto writer = open();
    ASSERT_TRUE(writer->remember(record));
    std::filesystem::create_directories(folder.path("left"));
    for (const char* name : {"state.db", "state.db-wal"})
      std::filesystem::copy_file(cache + "/" + name, folder.path("left/") + name);
  }
  cache = folder.path("left");
  const auto looker = open(Access::kLook);
  EXPECT_TRUE(same(**looker->last(record.label), record));
  EXPECT_EQ(names(), (std::set<std::string>{"state.db", "state.db-wal"}));
}

// As somebody who may only read; a process of its own, so that root can do without its powers there.
int look_as_a_reader(const std::string& cache, const Record& record) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) _exit(9);
    const Result<std::unique_ptr<State>> state = State::open(cache, Access::kLook);
    if (!state) _exit(1);
    const Result<std::optional<Record>> last = (*state)->last(record.label);
    _exit(!last ? 2 : !*last ? 3 : same(**last, record) ? 0 : 4);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(StateTest, LooksWhereNothingCanBeWritten) {
  using std::filesystem::perms;
  const perms open_to_all =
      perms::owner_all | perms::group_read | perms::group_exec | perms::others_read | perms::others_exec;
  std::filesystem::permissions(folder.path(), open_to_all);
  auto writer = open();
  ASSERT_TRUE(writer->remember(record));
  std::filesystem::permissions(cache, open_to_all & ~perms::owner_write);
  EXPECT_EQ(look_as_a_reader(cache, record), 0) << "while somebody writes";
  std::filesystem::permissions(cache, open_to_all);
  writer.reset();
  std::filesystem::permissions(cache, open_to_all & ~perms::owner_write);
  EXPECT_EQ(look_as_a_reader(cache, record), 0) << "while nobody does";
  std::filesystem::permissions(cache, open_to_all);
}

TEST_F(StateTest, AnEmptyFileIsAnEmptyState) {
  folder.write("cache/state.db", "");  // a crash just after it was made
  EXPECT_FALSE(*open(Access::kLook)->last(record.label));
  EXPECT_TRUE(open()->remember(record));
}

TEST_F(StateTest, MovesWithItsFolder) {
  ASSERT_TRUE(open()->remember(record));
  cache = folder.path("elsewhere #1?%");
  std::filesystem::rename(folder.path("cache"), cache);
  EXPECT_TRUE(same(**open()->last(record.label), record));
  EXPECT_TRUE(same(**open(Access::kLook)->last(record.label), record));
}

TEST_F(StateTest, EveryWriteChangesTheGenerationAndNothingElseDoes) {
  const auto state = open();
  std::set<std::uint64_t> seen = {*state->generation()};
  ASSERT_TRUE(state->remember(record));
  EXPECT_TRUE(seen.insert(*state->generation()).second);
  ASSERT_TRUE(state->put(some_run("a")));
  EXPECT_TRUE(seen.insert(*state->generation()).second);
  (void)state->last(record.label), (void)state->all();
  EXPECT_FALSE(seen.insert(*state->generation()).second);
  EXPECT_EQ(*state->generation(), *open(Access::kLook)->generation());
}

TEST_F(StateTest, TwoFreshStatesHaveDifferentGenerations) {
  const auto first = open();
  cache = folder.path("other");
  EXPECT_NE(*first->generation(), *open()->generation());
}

TEST_F(StateTest, ManyMayMakeItAtOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> made = 0;
  for (std::uint64_t i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const auto state = State::open(cache, Access::kWrite);
      if (state && (*state)->remember(some_record("mnist", i))) ++made;
    });
  }
  threads.clear();
  EXPECT_EQ(made, 8);
}

TEST_F(StateTest, NewerIsRefused) {
  ASSERT_TRUE(open()->remember(record));
  sql("PRAGMA user_version = 9999");
  for (const Access access : {Access::kWrite, Access::kLook}) {
    const Error error = refused(access);
    EXPECT_EQ(error.message, "The state in `" + cache +
                                 "/state.db` is of a newer trainmake (schema 9999, this one knows 6)");
    EXPECT_EQ(error.blame, Blame::kUser);
  }
  EXPECT_FALSE(State::repair(cache));  // it is sound, and not ours to set aside
  EXPECT_EQ(names(), (std::set<std::string>{".gitignore", "state.db"}));
}

// As the schema was before there were curves.
constexpr const char* kFirstSchema =
    "ALTER TABLE last DROP COLUMN asked; ALTER TABLE last DROP COLUMN newest_run; DROP INDEX runs_by_number; "
    "ALTER TABLE runs DROP COLUMN "
    "number; ALTER TABLE runs DROP COLUMN repeats; "
    "DROP TABLE run_curves; DROP INDEX runs_by_status; "
    "PRAGMA user_version = 1";

TEST_F(StateTest, AnOlderOneIsRaised) {
  ASSERT_TRUE(open()->remember(record));
  ASSERT_TRUE(open()->put(some_run("a")));
  auto repetition = some_run("b");
  repetition.status = RunStatus::kFailed;
  repetition.provenance_json = R"({"reproduces":"a"})";
  ASSERT_TRUE(open()->put(repetition));
  sql("UPDATE runs SET created_ns = 9000 WHERE id = 'a'");
  sql(kFirstSchema);
  const auto looked = State::open(cache, Access::kLook);
  ASSERT_TRUE(looked);
  EXPECT_EQ((*looked)->in_flight()->size(), 1U);
  EXPECT_TRUE((*looked)->curves("a")->empty());
  EXPECT_EQ((**open()->get("b")).repeats, "a");
  EXPECT_EQ((**open()->get("a")).repeats, "");
  EXPECT_TRUE(same(**open()->last(record.label), record));
  EXPECT_EQ(open()->in_flight()->size(), 1U);
  EXPECT_EQ(open()->all()->front().id, "a") << "of an older one the order is that of times";
  ASSERT_TRUE(open()->put(some_run("c")));
  EXPECT_EQ(open()->all()->front().id, "c");
  EXPECT_FALSE(*open()->began_after_result(some_run("a")));
  EXPECT_TRUE(*open()->began_after_result(some_run("c")));
}

TEST_F(StateTest, WhatIsInFlightIsFoundByTheIndex) {
  ASSERT_TRUE(open()->put(some_run("a")));
  const auto database = *Database::open(cache + "/state.db", Database::Mode::kRead);
  auto plan = *database->prepare(
      "EXPLAIN QUERY PLAN SELECT id FROM runs r WHERE r.status IN ('queued', 'running', 'unknown')");
  ASSERT_TRUE(*plan.step());
  EXPECT_NE(plan.text_at(3).find("runs_by_status"), std::string_view::npos) << plan.text_at(3);
}

TEST_F(StateTest, OfWhatIsInFlightALabelHasItsOwn) {
  const auto state = open();
  auto other = some_run("other"), over = some_run("over");
  other.label.name += "-2";
  over.status = RunStatus::kSucceeded;
  for (const auto& run : {some_run("a"), other, over, some_run("b")}) ASSERT_TRUE(state->put(run));
  const auto found = *state->in_flight(some_run("a").label);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].id, "b");
  EXPECT_EQ(found[1].id, "a");
}

TEST_F(StateTest, ADamagedHeadIsToldWithTheWayOut) {
  ASSERT_TRUE(open()->remember(record));
  overwrite(0, 4096);
  for (const Access access : {Access::kWrite, Access::kLook}) {
    const Error error = refused(access);
    EXPECT_NE(error.message.find("state.db"), std::string::npos);
    EXPECT_NE(error.hint.find("`trainmake gc --repair`"), std::string::npos) << error.hint;
    EXPECT_EQ(error.blame, Blame::kUser);
  }
}

// A view in place of a table would be read, and one that has no end for ever.
TEST_F(StateTest, OneWithMoreThanTablesIsRefused) {
  for (const char* more : {"ALTER TABLE runs RENAME TO other; CREATE VIEW runs AS SELECT * FROM other",
                           "CREATE TRIGGER t AFTER INSERT ON last BEGIN DELETE FROM records; END",
                           "CREATE VIRTUAL TABLE v USING fts5(text)"}) {
    std::filesystem::remove_all(cache);
    ASSERT_TRUE(open()->remember(record));
    ASSERT_TRUE((*Database::open(cache + "/state.db", Database::Mode::kWrite))->run(more));
    for (const Access access : {Access::kWrite, Access::kLook})
      EXPECT_NE(refused(access).hint.find("`trainmake gc --repair`"), std::string::npos) << more;
    EXPECT_NE(*State::repair(cache), "");
    EXPECT_FALSE(open()->last(record.label)->has_value()) << "nothing of it is taken over";
  }
}

TEST_F(StateTest, DamageAnywhereIsToldOrHarmless) {
  {
    const auto state = open();
    for (std::uint64_t i = 0; i < 50; ++i) ASSERT_TRUE(state->remember(some_record(cat("job-", i), i)));
  }
  const std::string whole = folder.read("cache/state.db");
  for (std::size_t start = 0; start < whole.size(); start += 4096) {
    folder.write("cache/state.db", whole);
    overwrite(start, 4096);
    const Result<std::unique_ptr<State>> state = State::open(cache, Access::kWrite);
    if (!state) {
      EXPECT_TRUE(tells_damage(state.error())) << start << ": " << state.error().message;
      continue;
    }
    for (std::uint64_t i = 0; i < 50; ++i) {
      const Result<std::optional<Record>> got = (*state)->last(some_label(cat("job-", i)));
      if (!got) {
        EXPECT_TRUE(tells_damage(got.error())) << got.error().message;
      } else if (*got) {
        EXPECT_EQ((*got)->manifest.fingerprint(), some_record(cat("job-", i), i).fingerprint);
      }
    }
  }
}

TEST_F(StateTest, ACutFileIsToldAndRepaired) {
  {
    const auto state = open();
    for (std::uint64_t i = 0; i < 50; ++i) ASSERT_TRUE(state->remember(some_record(cat("job-", i), i)));
  }
  const std::string whole = folder.read("cache/state.db");
  folder.write("cache/state.db", whole.substr(0, whole.size() / 2));
  const Result<std::string> aside = State::repair(cache);
  ASSERT_TRUE(aside) << aside.error().message;
  EXPECT_EQ(*aside, cache + "/state.db.damaged-1");
  EXPECT_TRUE(open()->remember(record));
}

TEST_F(StateTest, RepairSetsTheDamagedOneAsideAndStartsAnew) {
  ASSERT_TRUE(open()->remember(record));
  for (int number = 1; number <= 2; ++number) {
    overwrite(0, 4096);
    EXPECT_EQ(*State::repair(cache), cat(cache, "/state.db.damaged-", number));
    EXPECT_FALSE(*open()->last(record.label));
    ASSERT_TRUE(open()->remember(record));
  }
}

TEST_F(StateTest, RepairKeepsWhatCanBeRead) {
  {
    const auto state = open();
    ASSERT_TRUE(state->remember(record));
    ASSERT_TRUE(state->put(some_run("0123456789ab")));
    for (std::uint64_t i = 0; i < 200; ++i) ASSERT_TRUE(state->remember(some_record(cat("job-", i), i + 10)));
  }
  std::int64_t page = 0;
  {
    const auto database = *Database::open(cache + "/state.db", Database::Mode::kWrite);
    page = *database->number("SELECT rootpage FROM sqlite_schema WHERE name = 'last'");
  }
  overwrite(static_cast<std::size_t>(page - 1) * 4096, 4096);
  EXPECT_EQ(*State::repair(cache), cache + "/state.db.damaged-1");
  const auto state = open();
  EXPECT_TRUE(*state->find(record.label, record.fingerprint));
  EXPECT_TRUE(*state->get("0123456789ab"));
}

TEST_F(StateTest, RepairOfAnOlderOneKeepsItsRuns) {
  ASSERT_TRUE(open()->put(some_run("0123456789ab")));
  sql(kFirstSchema);
  sql("CREATE TABLE run_curves (what TEXT)");  // so that it cannot be raised
  EXPECT_EQ(*State::repair(cache), cache + "/state.db.damaged-1");
  EXPECT_TRUE(*open()->get("0123456789ab"));
}

TEST_F(StateTest, RepairLeavesASoundOneAlone) {
  EXPECT_EQ(*State::repair(cache), "");
  EXPECT_FALSE(std::filesystem::exists(cache));
  ASSERT_TRUE(open()->remember(record));
  EXPECT_EQ(*State::repair(cache), "");
  EXPECT_TRUE(same(**open()->last(record.label), record));
}

// Clocks say nothing here: they are set back at times.
struct LateResults : StateTest {
  Record begun(std::uint64_t number, const std::string& run) {
    Record begun = some_record("mnist", number);
    begun.run = run;
    begun.when_ns = --when_ns;
    EXPECT_TRUE(state->put(some_run(run)));
    return begun;
  }
  std::string last_run() { return (*state->last(record.label))->run; }

  std::unique_ptr<State> state = open();
  std::int64_t when_ns = 1000;
};

TEST_F(LateResults, AreTheLastUnlessSomethingNewerIs) {
  record = begun(1, "a");
  ASSERT_TRUE(state->remember(record));
  const Record late = begun(2, "b");
  ASSERT_TRUE(state->remember_late(late));
  EXPECT_TRUE(same(**state->last(record.label), late));
  const Record too_late = begun(3, "c");
  ASSERT_TRUE(state->remember(record));  // an edit undone
  ASSERT_TRUE(state->remember_late(too_late));
  EXPECT_TRUE(same(**state->last(record.label), record));
  EXPECT_TRUE(same(**state->find(too_late.label, too_late.fingerprint), too_late));
}

TEST_F(LateResults, OfTwoTheOneBegunLaterIsTheLastWhicheverComesFirst) {
  const Record earlier = begun(2, "a"), later = begun(3, "b");
  ASSERT_TRUE(state->remember_late(earlier));
  ASSERT_TRUE(state->remember_late(later));
  EXPECT_EQ(last_run(), "b");
  ASSERT_TRUE(state->remember_late(earlier));
  EXPECT_EQ(last_run(), "b");
}

TEST(Database, ADiskThatIsFullIsNoFaultOfWhatWasAsked) {
  const ScratchFolder folder;
  const auto database = Database::open(folder.path("state.db"), Database::Mode::kWrite);
  ASSERT_TRUE(database);
  ASSERT_TRUE((*database)->run("CREATE TABLE filler (bytes BLOB); PRAGMA max_page_count = 3"));
  const auto written = (*database)->run("INSERT INTO filler VALUES (zeroblob(100000))");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().blame, Blame::kStep);
  EXPECT_NE(written.error().message.find("the disk is full"), std::string::npos) << written.error().message;
  EXPECT_NE(written.error().hint.find("`--cache-dir`"), std::string::npos);
}

TEST_F(LateResults, DoNotReplaceANewerOfTheirFingerprint) {
  Record late = begun(1, "a");
  record = begun(1, "b");
  ASSERT_TRUE(state->remember(record));
  ASSERT_TRUE(state->remember_late(late));
  EXPECT_TRUE(same(**state->find(record.label, record.fingerprint), record));
  ASSERT_TRUE(state->remember(begun(2, "c")));
  ASSERT_TRUE(state->remember_late(late));
  EXPECT_TRUE(same(**state->find(record.label, record.fingerprint), record));
  EXPECT_EQ(last_run(), "c");
}

TEST_F(LateResults, ThatComeTooLateAreNotTheLastForAMoment) {
  const Record late = begun(2, "a");
  ASSERT_TRUE(state->remember(record));
  sql("CREATE TRIGGER kept BEFORE INSERT ON last BEGIN SELECT RAISE(ABORT, 'another is the last'); END");
  EXPECT_FALSE(state->remember(some_record("mnist", 2)));
  EXPECT_TRUE(state->remember_late(late));
}

TEST_F(LateResults, ARunBeganAfterTheResultOrBefore) {
  record = begun(1, "a");
  EXPECT_FALSE(*state->began_after_result(some_run("a"))) << "there is none";
  ASSERT_TRUE(state->remember(record));
  EXPECT_FALSE(*state->began_after_result(some_run("a")));
  begun(2, "b");
  EXPECT_TRUE(*state->began_after_result(some_run("b")));
  ASSERT_TRUE(state->remember(record));
  EXPECT_FALSE(*state->began_after_result(some_run("b")));
}

TEST_F(LateResults, OfJobsSideBySideTheOneAskedForLaterIsTheLastWhicheverEndsFirst) {
  const Record earlier = begun(1, "a"), later = begun(2, "b");
  ASSERT_TRUE(state->remember_in_turn(later, {"", "a"}));
  ASSERT_TRUE(state->remember_in_turn(earlier, {"", ""}));
  EXPECT_EQ(last_run(), "b");
  EXPECT_TRUE(same(**state->find(earlier.label, earlier.fingerprint), earlier));
  const Record third = begun(3, "c"), fourth = begun(4, "d");
  ASSERT_TRUE(state->remember_in_turn(third, {"", "b"}));
  ASSERT_TRUE(state->remember_in_turn(fourth, {"", "c"}));
  EXPECT_EQ(last_run(), "d");
  EXPECT_FALSE(*state->began_after_result(some_run("d")));
}

// What the step needs took longer for whoever asked first, or for whoever asked last.
TEST_F(LateResults, WhoAskedLastIsTheLastThoughTheirStepWasBegunFirst) {
  begun(8, "asked first");
  begun(9, "asked last");
  const Record of_last = begun(1, "a");
  ASSERT_TRUE(state->remember_in_turn(of_last, {"asked last", ""}));
  const Record of_first = begun(2, "b");
  ASSERT_TRUE(state->remember_in_turn(of_first, {"asked first", "a"}));
  EXPECT_EQ(last_run(), "a");
  EXPECT_TRUE(same(**state->find(of_first.label, of_first.fingerprint), of_first));
}

TEST_F(LateResults, WhoAskedLastIsTheLastThoughTheOtherHadBegunMeanwhile) {
  begun(8, "asked first");
  begun(9, "asked last");
  const Record of_first = begun(1, "b"), of_last = begun(2, "a");
  ASSERT_TRUE(state->remember_in_turn(of_first, {"asked first", ""}));
  ASSERT_TRUE(state->remember_in_turn(of_last, {"asked last", ""}));
  EXPECT_EQ(last_run(), "a");
}

TEST_F(LateResults, OneTakenUpAgainIsTheLastThoughItBeganBeforeTheOther) {
  const Record earlier = begun(1, "a"), later = begun(2, "b");
  ASSERT_TRUE(state->remember_in_turn(later, {"", "a"}));
  EXPECT_EQ(*state->newest_run(later.label), "b");
  EXPECT_EQ(*state->newest_run(), "b");
  ASSERT_TRUE(state->remember_in_turn(earlier, {"b", "b"}));
  EXPECT_EQ(last_run(), "a");
}

TEST_F(StateTest, TheLastInBriefIsAllButItsManifest) {
  const auto state = open();
  EXPECT_FALSE(*state->last_in_brief(record.label));
  ASSERT_TRUE(state->remember(record));
  Record brief = record;
  brief.manifest = {};
  EXPECT_TRUE(same(**state->last_in_brief(record.label), brief));
}

TEST_F(StateTest, ForgettingSparesTheLast) {
  const auto state = open();
  const Record second = some_record("mnist", 2);
  ASSERT_TRUE(state->remember(record));
  ASSERT_TRUE(state->remember(second));
  ASSERT_TRUE(state->forget(record.label, record.fingerprint));
  ASSERT_TRUE(state->forget(second.label, second.fingerprint));
  EXPECT_FALSE(*state->find(record.label, record.fingerprint));
  EXPECT_TRUE(*state->last(second.label));
}

TEST_F(StateTest, EachRecordIsVisitedOnceAndMayBeForgottenThere) {
  const auto state = open();
  for (std::uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(state->remember(some_record("mnist", i)));
  int visited = 0, last = 0;
  ASSERT_TRUE(state->each_record([&](const Record& each, bool is_last) {
    ++visited;
    last += is_last ? 1 : 0;
    if (!is_last) {
      ASSERT_TRUE(state->forget(each.label, each.fingerprint));
    }
  }));
  EXPECT_EQ(visited, 20);
  EXPECT_EQ(last, 1);
  visited = 0;
  ASSERT_TRUE(state->each_record([&](const Record&, bool) { ++visited; }));
  EXPECT_EQ(visited, 1);
}

TEST_F(StateTest, CompactingDropsManifestsThatNobodyHas) {
  const auto state = open();
  ASSERT_TRUE(state->remember(some_record("mnist", 1, 20'000)));
  ASSERT_TRUE(state->remember(record));
  ASSERT_TRUE(state->forget(record.label, some_record("mnist", 1, 20'000).fingerprint));
  ASSERT_TRUE(state->compact());
  EXPECT_TRUE(same(**state->last(record.label), record));
  EXPECT_LT(std::filesystem::file_size(cache + "/state.db"), 100'000U);
}

TEST_F(StateTest, AWriterThatHoldsTheDatabaseIsWaitedFor) {
  open();
  const auto other = *Database::open(cache + "/state.db", Database::Mode::kWrite);
  ASSERT_TRUE(other->run("BEGIN IMMEDIATE"));
  std::atomic<bool> remembered = false;
  std::jthread waits(
      [&] { remembered = State::open(cache, Access::kWrite).value()->remember(record).has_value(); });
  ASSERT_TRUE(other->run("COMMIT"));
  waits.join();
  EXPECT_TRUE(remembered);
}

}  // namespace
}  // namespace trainmake
