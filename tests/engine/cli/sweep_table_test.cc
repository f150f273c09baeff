#include "engine/cli/sweep_table.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

Run run_of(const std::string& name, std::map<std::string, double> metrics,
           RunStatus status = RunStatus::kSucceeded) {
  Run run;
  run.id = "id-" + name;
  run.label = {"", "job", name};
  run.status = status;
  run.metrics = std::move(metrics);
  run.params_json = "{\"lr\":0.1}";
  run.started_ns = 1'000'000'000;
  run.ended_ns = 3'000'000'000;
  return run;
}

std::string shown(const Label& label) { return label.name; }

TEST(SweepTable, TheBestIsOnTopAndThoseWithoutANumberAreLast) {
  const std::vector<trainmake::Run> runs = {
      run_of("bad", {{"acc", 0.1}, {"loss", 5}}), run_of("broken", {}, RunStatus::kFailed),
      run_of("good", {{"acc", 0.9}, {"loss", 1}}), run_of("silent", {})};
  EXPECT_EQ(sweep_text(runs, {"loss", true}, shown, 40),
            "job     loss       other metrics  took   params  run\n"
            "good    1          acc 0.9        2.0 s  lr 0.1  id-good\n"
            "bad     5          acc 0.1        2.0 s  lr 0.1  id-bad\n"
            "broken  failed                    2.0 s  lr 0.1  id-broken\n"
            "silent  succeeded                 2.0 s  lr 0.1  id-silent\n");
  EXPECT_LT(sweep_text(runs, {"acc", false}, shown, 40).find("good"),
            sweep_text(runs, {"acc", false}, shown, 40).find("bad"));
  EXPECT_TRUE(sweep_text(runs, {"acc", false}, shown, 1).ends_with("and 3 more\n"));
}

TEST(SweepTable, TheNameOfAMetricTellsWhichWayIsBetter) {
  for (const char* name : {"loss", "val_loss", "eval/Error", "top1-err", "time"})
    EXPECT_TRUE(parse_ranking(name)->least_is_best) << name;
  for (const char* name : {"accuracy", "lossless", "f1", "BLEU", "terror"})
    EXPECT_FALSE(parse_ranking(name)->least_is_best) << name;
  EXPECT_EQ(*parse_ranking("loss:max"), (Ranking{"loss", false}));
  EXPECT_EQ(*parse_ranking("-loss"), (Ranking{"loss", false}));
  EXPECT_EQ(*parse_ranking("a:b:min"), (Ranking{"a:b", true}));
  for (const char* wrong : {"", ":min", "loss:best"}) EXPECT_FALSE(parse_ranking(wrong)) << wrong;
}

TEST(SweepTable, WithoutAWordTheFirstMetricByNameTells) {
  EXPECT_EQ(usual_ranking({run_of("a", {{"loss", 1}}), run_of("b", {{"acc", 1}, {"loss", 1}})}),
            std::optional(Ranking{"acc", false}));
  EXPECT_EQ(usual_ranking({run_of("a", {})}), std::nullopt);
}

}  // namespace
}  // namespace trainmake
