// What every Memory and Runs keeps, the real one and the one for tests.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cache/state.h"
#include "tests/cache/some_records.h"
#include "tests/support/mem_memory.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

// `reopened()` is the same memory as a later process would find it.
struct InState {
  State& get() { return *state; }
  State& reopened() {
    state.reset();
    state = *State::open(folder.path("cache"), State::Access::kWrite);
    return *state;
  }
  ScratchFolder folder;
  std::unique_ptr<State> state = *State::open(folder.path("cache"), State::Access::kWrite);
};

struct InMemory {
  MemMemory& get() { return memory; }
  MemMemory& reopened() { return memory; }
  MemMemory memory;
};

template <typename T>
class MemoryConformance : public testing::Test {
 protected:
  T in;
};
using Memories = testing::Types<InState, InMemory>;
TYPED_TEST_SUITE(MemoryConformance, Memories);

TYPED_TEST(MemoryConformance, KnowsNothingAtFirst) {
  auto& memory = this->in.get();
  EXPECT_FALSE(*memory.last(some_label()));
  EXPECT_FALSE(*memory.find(some_label(), {1, 2}));
  EXPECT_FALSE(*memory.get("x"));
  EXPECT_TRUE(memory.all()->empty());
  EXPECT_TRUE(memory.of(some_label(), {1, 2})->empty());
}

TYPED_TEST(MemoryConformance, GivesBackWhatWasRemembered) {
  const Record record = some_record("mnist", 1);
  ASSERT_TRUE(this->in.get().remember(record));
  auto& memory = this->in.reopened();
  EXPECT_TRUE(same(**memory.last(record.label), record));
  EXPECT_TRUE(same(**memory.find(record.label, record.fingerprint), record));
}

TYPED_TEST(MemoryConformance, EveryWriteIsAnotherGeneration) {
  auto& memory = this->in.get();
  const std::uint64_t first = *memory.generation();
  EXPECT_EQ(*memory.generation(), first);
  ASSERT_TRUE(memory.remember(some_record("mnist", 1)));
  const std::uint64_t second = *memory.generation();
  EXPECT_NE(second, first);
  ASSERT_TRUE(memory.put(some_run("a", 1)));
  EXPECT_NE(*memory.generation(), second);
}

TYPED_TEST(MemoryConformance, TheLastRememberedIsTheLast) {
  auto& memory = this->in.get();
  const Record first = some_record("mnist", 1), second = some_record("mnist", 2);
  ASSERT_TRUE(memory.remember(first));
  ASSERT_TRUE(memory.remember(second));
  EXPECT_TRUE(same(**memory.last(first.label), second));
  EXPECT_TRUE(same(**memory.find(first.label, first.fingerprint), first));
  ASSERT_TRUE(memory.remember(first));  // an edit undone
  EXPECT_TRUE(same(**memory.last(first.label), first));
}

TYPED_TEST(MemoryConformance, TheNewestThatFitsIsFound) {
  auto& memory = this->in.get();
  const Record first = some_record("mnist", 1, 2), second = some_record("mnist", 2, 2),
               third = some_record("mnist", 3, 5), other = some_record("other", 4, 2);
  for (const Record* record : {&third, &second, &first, &other}) ASSERT_TRUE(memory.remember(*record));
  const auto with_lines = [](std::size_t count) {
    return [count](const Manifest& manifest) { return manifest.lines().size() == count; };
  };
  EXPECT_TRUE(same(**memory.newest(first.label, with_lines(2)), second));
  EXPECT_TRUE(same(**memory.newest(first.label, with_lines(5)), third));
  EXPECT_FALSE(*memory.newest(first.label, with_lines(3)));
}

TYPED_TEST(MemoryConformance, RememberingAgainReplaces) {
  Record record = some_record("mnist", 1);
  ASSERT_TRUE(this->in.get().remember(record));
  record.artifacts = {};
  record.version = "2.0";
  ASSERT_TRUE(this->in.get().remember(record));
  EXPECT_TRUE(same(**this->in.reopened().last(record.label), record));
}

TYPED_TEST(MemoryConformance, LabelsDoNotMeet) {
  auto& memory = this->in.get();
  const Record a = some_record("a", 1), b = some_record("b", 1);
  ASSERT_EQ(a.fingerprint, b.fingerprint);
  ASSERT_TRUE(memory.remember(a));
  EXPECT_FALSE(*memory.last(b.label));
  EXPECT_FALSE(*memory.find(b.label, b.fingerprint));
}

TYPED_TEST(MemoryConformance, KeepsLargeAndEmptyManifests) {
  for (const int lines : {0, 1, 20'000}) {
    const Record record = some_record(cat("with-", lines), 5, lines);
    ASSERT_TRUE(this->in.get().remember(record));
    EXPECT_TRUE(same(**this->in.reopened().last(record.label), record)) << lines;
  }
}

TYPED_TEST(MemoryConformance, GivesBackWhatWasPutOfARun) {
  Run run = some_run("0123456789ab", 3);
  run.status = RunStatus::kFailed;
  run.job = "4711";
  run.started_ns = 5;
  run.ended_ns = 6;
  run.exit_code = 137;
  run.reason = "killed\n\xff";
  run.reusable = false;
  run.params_json = R"({"lr":0.1})";
  run.metrics = {{"accuracy", 0.1 + 0.2},
                 {"loss", std::numeric_limits<double>::quiet_NaN()},
                 {"worst", std::numeric_limits<double>::infinity()}};
  run.outputs = {{"z", "model.npz", 12, std::string(64, 'b')}, {"a", "b\xfe", 1ULL << 40U, ""}};
  run.provenance_json = R"({"commit":"abc"})";
  run.manifest.add(Section::kAttr, "params.lr", "0.1");
  run.manifest.seal();
  ASSERT_TRUE(this->in.get().put(run));
  const std::optional<Run> got = *this->in.reopened().get(run.id);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->label, run.label);
  EXPECT_EQ(got->fingerprint, run.fingerprint);
  EXPECT_EQ(got->attempt, 3);
  EXPECT_EQ(got->status, RunStatus::kFailed);
  EXPECT_EQ(std::tie(got->platform, got->key, got->job, got->reason, got->params_json, got->provenance_json),
            std::tie(run.platform, run.key, run.job, run.reason, run.params_json, run.provenance_json));
  EXPECT_EQ(std::tie(got->created_ns, got->started_ns, got->ended_ns),
            std::tie(run.created_ns, run.started_ns, run.ended_ns));
  EXPECT_EQ(got->exit_code, 137);
  EXPECT_FALSE(got->reusable);
  EXPECT_EQ(got->metrics.size(), 3U);
  EXPECT_EQ(got->metrics.at("accuracy"), 0.1 + 0.2);
  EXPECT_TRUE(std::isnan(got->metrics.at("loss")));
  EXPECT_EQ(got->metrics.at("worst"), std::numeric_limits<double>::infinity());
  ASSERT_EQ(got->outputs.size(), 2U);
  EXPECT_EQ(got->outputs[0].name, "z");
  EXPECT_EQ(got->outputs[1].path, "b\xfe");
  EXPECT_EQ(got->outputs[1].bytes, 1ULL << 40U);
  EXPECT_EQ(got->manifest.lines(), run.manifest.lines());
}

TYPED_TEST(MemoryConformance, ARunWithoutExitCodeStaysWithout) {
  ASSERT_TRUE(this->in.get().put(some_run("a")));
  EXPECT_FALSE((*this->in.reopened().get("a"))->exit_code);
}

TYPED_TEST(MemoryConformance, PuttingAgainReplacesTheRun) {
  Run run = some_run("a");
  run.metrics = {{"loss", 1.0}};
  run.outputs = {{"model", "m", 1, ""}, {"log", "l", 1, ""}};
  ASSERT_TRUE(this->in.get().put(run));
  run.status = RunStatus::kSucceeded;
  run.metrics = {{"accuracy", 0.5}};
  run.outputs.resize(1);
  ASSERT_TRUE(this->in.get().put(run));
  const Run got = **this->in.reopened().get("a");
  EXPECT_EQ(got.status, RunStatus::kSucceeded);
  EXPECT_EQ(got.metrics, run.metrics);
  EXPECT_EQ(got.outputs.size(), 1U);
  EXPECT_EQ(this->in.get().all()->size(), 1U);
}

// Whatever the clocks said.
TYPED_TEST(MemoryConformance, RunsComeAsTheyWereRememberedFirstTheNewestFirst) {
  auto& memory = this->in.get();
  Run other = some_run("other");
  other.fingerprint = {9, 9};
  other.created_ns = 5000;
  for (const Run& run : {some_run("first", 1), other, some_run("second", 3), some_run("third", 2), other})
    ASSERT_TRUE(memory.put(run));
  const auto ids = [](const std::vector<Run>& runs) {
    std::vector<std::string> all;
    for (const Run& run : runs) all.push_back(run.id);
    return all;
  };
  EXPECT_EQ(ids(*memory.of(some_label(), {7, 8})), (std::vector<std::string>{"third", "second", "first"}));
  EXPECT_EQ(ids(*memory.of(some_label())), (std::vector<std::string>{"third", "second", "other", "first"}));
  EXPECT_TRUE(memory.of({"", "job", "other"})->empty());
  EXPECT_EQ(ids(*memory.all()), (std::vector<std::string>{"third", "second", "other", "first"}));
}

TYPED_TEST(MemoryConformance, OneThatRepeatsARunIsNoneOfTheLabelsOwn) {
  auto& memory = this->in.get();
  Run repetition = some_run("again");
  repetition.attempt = 2;
  repetition.repeats = "first";
  EXPECT_EQ(*memory.next_attempt(some_label(), {7, 8}), 1);
  for (const Run& run : {some_run("first", 1), repetition}) ASSERT_TRUE(memory.put(run));
  ASSERT_EQ(memory.of(some_label(), {7, 8})->size(), 1U);
  ASSERT_EQ(memory.of(some_label())->size(), 1U);
  EXPECT_EQ(memory.of(some_label())->front().id, "first");
  EXPECT_EQ(memory.all()->size(), 2U);
  EXPECT_EQ(*memory.next_attempt(some_label(), {7, 8}), 3);
  EXPECT_EQ(*memory.next_attempt(some_label(), {7, 9}), 1);
  EXPECT_EQ((**this->in.reopened().get("again")).repeats, "first");
}

TYPED_TEST(MemoryConformance, ThoseInFlightAreNotThoseThatAreOver) {
  auto& memory = this->in.get();
  int attempt = 0;
  for (const RunStatus status :
       {RunStatus::kQueued, RunStatus::kRunning, RunStatus::kSucceeded, RunStatus::kFailed,
        RunStatus::kCancelled, RunStatus::kLost, RunStatus::kUnknown}) {
    Run run = some_run(std::string(name_of(status)), ++attempt);
    run.status = status;
    ASSERT_TRUE(memory.put(run));
  }
  std::vector<std::string> ids;
  const auto found = memory.in_flight();
  for (const Run& run : *found) ids.push_back(run.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"unknown", "running", "queued"}));
}

TYPED_TEST(MemoryConformance, CurvesStayTillThereAreOthers) {
  Run run = some_run("a");
  EXPECT_TRUE(this->in.get().curves("a")->empty());
  run.curves = {{"loss", {{1, 0.5}, {2, std::numeric_limits<double>::quiet_NaN()}}}};
  ASSERT_TRUE(this->in.get().put(run));
  run.curves = {};
  ASSERT_TRUE(this->in.get().put(run));
  const Curve kept = this->in.reopened().curves("a")->at("loss");
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].value, 0.5);
  EXPECT_TRUE(std::isnan(kept[1].value));
  run.curves = {{"accuracy", {{10, 0.25}}}};
  ASSERT_TRUE(this->in.get().put(run));
  EXPECT_EQ(this->in.get().curves("a")->size(), 1U);
}

}  // namespace
}  // namespace trainmake
