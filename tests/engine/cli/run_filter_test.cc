#include "engine/cli/run_filter.h"

#include <limits>

#include "tests/engine/cli/looking_back.h"

namespace trainmake {
namespace {

Run measured(const std::string& id, double loss, const char* params) {
  Run run = run_of({id, job("x")});
  run.metrics = {{"loss", loss}};
  run.params_json = params;
  return run;
}

RunFilter where(std::string_view conditions) {
  RunFilter filter;
  filter.conditions = *parse_conditions(conditions);
  return filter;
}

TEST(RunFilter, ConditionsAreOfMetricsAndParams) {
  const auto run = measured("a", 0.25, R"({"lr":0.1,"solver":"adam","nesterov":true,"loss":9})");
  for (const char* held : {"loss<0.5", "loss <= 0.25", "lr>0.05, loss=0.25", "solver=adam", "solver != sgd",
                           "nesterov=true", "params.loss==9", "metrics.loss>=0.25"})
    EXPECT_TRUE(fits(where(held), run)) << held;
  for (const char* not_held :
       {"loss>0.25", "lr>0.05, loss>1", "solver=sgd", "gone=1", "gone!=1", "solver<3", "metrics.lr=0.1"})
    EXPECT_FALSE(fits(where(not_held), run)) << not_held;
}

TEST(RunFilter, ConditionsAreOfWhatWasSaidForPeople) {
  auto run = measured("a", 0.25, R"({"memo":"of a param"})");
  run.provenance_json = R"({"tags":["baseline","v2"],"notes":"with warm-up","memo":"x","contract":"uai/3"})";
  for (const char* held : {"tags=baseline", "tags=v2", "tags!=other", "tags~base", "notes~warm",
                           "memo=of a param", "contract~uai", "params.memo~param"})
    EXPECT_TRUE(fits(where(held), run)) << held;
  for (const char* not_held :
       {"tags=base", "tags!=v2", "tags<3", "notes=warm", "memo=x", "gone~a", "notes~cold"})
    EXPECT_FALSE(fits(where(not_held), run)) << not_held;
  run.provenance_json = "{}";
  EXPECT_TRUE(fits(where("tags!=v2"), run)) << "it has no tags";
  EXPECT_FALSE(fits(where("notes!=v2"), run));
}

TEST(RunFilter, WhatIsNoConditionIsAnError) {
  for (const char* wrong : {"lr", "", "=1", "lr>", "lr>many", "lr>1,,loss<2", "<"})
    EXPECT_FALSE(parse_conditions(wrong)) << wrong;
}

TEST(RunFilter, SinceIsADurationOrADay) {
  constexpr std::int64_t kSecond = 1'000'000'000, kNow = 10'000 * kSecond;
  EXPECT_EQ(parse_since("2h", kNow), kNow - 7200 * kSecond);
  EXPECT_EQ(parse_since("1970-01-02", kNow), 86'400 * kSecond);
  EXPECT_EQ(parse_since("1970-01-02 01:30", kNow), (86'400 + 5400) * kSecond);
  EXPECT_EQ(parse_since("1970-01-02T01:30", kNow), (86'400 + 5400) * kSecond);
  for (const char* wrong :
       {"", "soon", "1970-13-01", "1970-02-30", "1970/01/02", "1970-01-02 24:00", "1970-01-0x", "2999-01-01"})
    EXPECT_FALSE(parse_since(wrong, kNow)) << wrong;
}

TEST(RunFilter, SortsByANumberWithThoseThatHaveNoneLast) {
  constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
  const auto order = [](const char* by, bool greatest_first) {
    std::vector<trainmake::Run> runs = {measured("a", 2, "{}"), measured("b", kNoNumber, "{\"lr\":1}"),
                                        measured("c", 1, "{}"), measured("d", 3, "{\"lr\":2}")};
    RunFilter filter;
    filter.sort = by;
    filter.greatest_first = greatest_first;
    sort_runs(filter, runs);
    std::string ids;
    for (const auto& run : runs) ids += run.id;
    return ids;
  };
  EXPECT_EQ(order("loss", false), "cadb");
  EXPECT_EQ(order("loss", true), "dacb");
  EXPECT_EQ(order("lr", true), "dbac");
  EXPECT_EQ(order("", false), "abcd");
}

TEST(RunFilter, WhatNoRunHasCannotSortThem) {
  RunFilter filter;
  const std::vector<trainmake::Run> runs = {measured("a", 2, "{}"), measured("b", 1, "{\"lr\":1}")};
  for (const char* known : {"", "loss", "lr", "params.lr"}) {
    filter.sort = known;
    EXPECT_TRUE(check_sort(filter, runs)) << known;
  }
  filter.sort = "los";
  EXPECT_EQ(check_sort(filter, runs).error().message,
            "No run has a metric or parameter `los` to be sorted by");
  EXPECT_EQ(check_sort(filter, runs).error().hint, "Did you mean `loss`?");
  filter.sort = "nope";
  EXPECT_EQ(check_sort(filter, runs).error().hint, "There are the metrics loss");
  EXPECT_TRUE(check_sort(filter, {})) << "nor is there anything to sort";
}

}  // namespace
}  // namespace trainmake
