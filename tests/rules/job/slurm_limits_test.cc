// What partitions give, and what is told of a job that none of them would ever start.
#include "rules/job/platforms/slurm/slurm_limits.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr const char* kTold =
    "PartitionName=main AllowGroups=ALL Default=YES MaxNodes=UNLIMITED MaxTime=UNLIMITED State=UP "
    "TotalNodes=2 SelectTypeParameters=NONE\n"
    "PartitionName=short AllowGroups=ALL Default=NO MaxNodes=1 MaxTime=1-00:30:00 State=UP TotalNodes=2\n";

constexpr std::int64_t kShort_s = (24 * 60 + 30) * 60;

// Nodes of two kinds: `gpu` has both, `fat` the second alone, and of `main` nothing is known.
constexpr const char* kNodes =
    "gpu|12|64|256000|gpu:a100:4(S:0,1),shard:8\n"
    "gpu|2|96|2000000|gpu:v100:1,gpu:a100:1(S:0-1)\n"
    "fat|2|96|2000000|(null)\n"
    "odd|x\n";

std::string lack(const char* partition, const NodeNeeds& needs, std::int64_t nodes = 1) {
  const auto all = parse_nodes(kNodes);
  const auto found = all.find(partition);
  return lack_of(found == all.end() ? std::vector<SlurmNodes>() : found->second, nodes, needs);
}

std::string told_of(const SlurmNeeds& needs, const char* told = kTold) {
  const auto checked = check_limits(parse_partitions(told), needs);
  return checked ? "" : cat(checked.error().message, " | ", checked.error().hint);
}

TEST(SlurmLimits, TimesAreInMinutes) {
  EXPECT_EQ(parse_minutes("00:30:00"), 30);
  EXPECT_EQ(parse_minutes("2-01:00:00"), 2 * 24 * 60 + 60);
  for (const char* none : {"UNLIMITED", "", "1-", "a-00:00:00"}) EXPECT_FALSE(parse_minutes(none)) << none;
}

TEST(SlurmLimits, WhatFitsPasses) {
  for (const SlurmNeeds& needs : {SlurmNeeds{"", 2, 6'000'000}, {"short", 1, kShort_s}, {"short,main", 2, 0}})
    EXPECT_EQ(told_of(needs), "");
}

TEST(SlurmLimits, WhatWouldNeverStartIsTold) {
  EXPECT_TRUE(
      told_of({"", 3, 0})
          .starts_with(
              "It would wait for ever: partition `main` has 2 nodes for a job, and this one asks for 3 | "));
  EXPECT_TRUE(told_of({"short", 2, 0}).starts_with("It would wait for ever: partition `short` has 1 node "));
  EXPECT_NE(told_of({"short", 1, kShort_s + 60})
                .find("gives a job 24 h 30 min, and the `timeout` of this one is 24 h 31 min"),
            std::string::npos);
  EXPECT_NE(told_of({"short,main", 3, 0}).find("`short` has 1 node"), std::string::npos);
}

TEST(SlurmLimits, TheShortestTimeThatIsLongEnoughIsKnown) {
  const auto most = [](const SlurmNeeds& needs) { return most_minutes(parse_partitions(kTold), needs); };
  EXPECT_EQ(most({"short", 1, kShort_s}), kShort_s / 60);
  EXPECT_EQ(most({"main,short", 1, 60}), kShort_s / 60);
  EXPECT_FALSE(most({"main,short", 1, kShort_s + 1}));
  EXPECT_FALSE(most({"", 1, 60}));
  EXPECT_FALSE(most({"shrt", 1, 60}));
}

TEST(SlurmLimits, NodesThatDoAreEnough) {
  EXPECT_EQ(lack("gpu", {"gpu", 4, 64, 256'000}, 12), "");
  EXPECT_EQ(lack("gpu", {"gpu:a100", 4}), "");
  EXPECT_EQ(lack("gpu", {"gpu:v100", 1, 96, 2'000'000}, 2), "");
  EXPECT_EQ(lack("fat", {"gpu", 0, 96}), "");
  EXPECT_EQ(lack("fat", {"(null)", 1}).substr(0, 11), "has no node");
}

TEST(SlurmLimits, WhatNoNodeHasIsToldWithWhatTheLargestHas) {
  EXPECT_EQ(lack("gpu", {"gpu", 8}), "has no node with 8 of `gpu`; the largest has 4 of `gpu`");
  EXPECT_EQ(lack("gpu", {"gpu:v100", 2}),
            "has no node with 2 of `gpu:v100`; the largest has 1 of `gpu:v100`");
  EXPECT_EQ(lack("gpu", {"gpu:a", 1}), "has no node with 1 of `gpu:a`; the largest has no `gpu:a`");
  EXPECT_EQ(lack("fat", {"gpu", 1}), "has no node with 1 of `gpu`; the largest has no `gpu`");
  EXPECT_EQ(lack("fat", {"gpu", 0, 97}), "has no node with 97 cpus; the largest has 96 cpus");
  EXPECT_EQ(lack("gpu", {"gpu", 0, 0, 3'000'000}),
            "has no node with 2.9 TiB of memory; the largest has 1.9 TiB of memory");
  EXPECT_EQ(
      lack("gpu", {"gpu", 1, 100, 1024}),
      "has no node with 1 of `gpu`, 100 cpus and 1.0 GiB of memory; the largest has 2 of `gpu`, 96 cpus "
      "and 1.9 TiB of memory");
  EXPECT_EQ(lack("gpu", {"gpu", 4, 96}),
            "has no node with 4 of `gpu` and 96 cpus; the largest has 4 of `gpu` and 64 cpus");
}

TEST(SlurmLimits, TooFewNodesThatDoAreTold) {
  EXPECT_EQ(lack("gpu", {"gpu", 4}, 13), "has 12 nodes with 4 of `gpu`, and this one asks for 13");
  EXPECT_EQ(lack("fat", {}, 3), "has 2 nodes, and this one asks for 3");
}

TEST(SlurmLimits, WhatIsNotToldOfNodesIsNotMissed) {
  EXPECT_EQ(lack("main", {"gpu", 99}), "");
  EXPECT_EQ(lack_of({{1, 4, 1000, "gpu"}}, 1, {"gpu", 8}), "");
  EXPECT_EQ(lack_of({{1, 4, 1000, "shard:1K"}}, 1, {"shard", 1024}), "");
}

TEST(SlurmLimits, DiskFeaturesAndFurtherGresAreComparedWhereTheyAreKnown) {
  const auto kinds = parse_nodes(
      "p|2|64|256000|gpu:a100:4,shard:8|400000|a100,nvlink\n"
      "p|4|96|512000|(null)|0|(null)\n")["p"];
  const auto lack = [&](const NodeNeeds& needs, std::int64_t nodes = 1) {
    return lack_of(kinds, nodes, needs);
  };
  EXPECT_EQ(lack({.disk_mib = 400'000}), "");
  EXPECT_EQ(lack({.disk_mib = 500'000}), "") << "of those that say nothing of their disk";
  EXPECT_EQ(
      lack({.gpus = 1, .disk_mib = 500'000}),
      "has no node with 1 of `gpu` and 488.3 GiB of disk; the largest has 4 of `gpu` and 390.6 GiB of disk");
  for (const char* fits :
       {"a100", "a100&nvlink", "v100|nvlink", "v100&a100|nvlink", "[v100|h100]", "v100*2", "!a100"})
    EXPECT_EQ(lack({.constraint = fits}), "") << fits;
  for (const char* lacks : {"v100", "a100&v100", "v100|h100"})
    EXPECT_EQ(lack({.constraint = lacks}),
              cat("has no node with `", lacks, "`; features of its nodes are `a100`, `nvlink`"));
  EXPECT_EQ(lack({.constraint = "a100"}, 3), "has 2 nodes with `a100`, and this one asks for 3");
  EXPECT_EQ(lack({.cpus = 96, .constraint = "a100"}),
            "has no node with `a100` and 96 cpus; the largest of those has 64 cpus");
  EXPECT_EQ(lack_of({kinds[1]}, 1, {.constraint = "a100"}),
            "has no node with `a100`; its nodes have no features");
  EXPECT_EQ(lack_of({{4, 96, 512'000, "(null)"}}, 1, {.constraint = "a100"}), "") << "nobody says";
  for (const char* fits : {"shard:8", "shard", "gpu:a100:2,shard:4", "none", "gres/nic:1", "nic:1K"})
    EXPECT_EQ(lack({.more_gres = fits}), "") << fits;
  EXPECT_EQ(lack({.more_gres = "shard:9"}), "has no node with 9 of `shard`; the largest has 8 of `shard`");
  EXPECT_EQ(lack({.gpus = 2, .more_gres = "nic"}),
            "has no node with 2 of `gpu` and 1 of `nic`; the largest has 4 of `gpu` and no `nic`");
}

TEST(SlurmLimits, AQualityOfServiceGoesBeyondLimitsAndNotBeyondNodes) {
  std::vector<SlurmPartition> partitions = parse_partitions(kTold);
  partitions[1].made_of = {{2, 8, 16'000, "gpu:2"}};
  SlurmNeeds needs{.partition = "short", .nodes = 2, .timeout_s = kShort_s + 60, .has_qos = true};
  EXPECT_TRUE(check_limits(partitions, needs));
  needs.of_each.gpus = 3;
  const auto refused = check_limits(partitions, needs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().message,
      "It would wait for ever: partition `short` has no node with 3 of `gpu`; the largest has 2 of `gpu`");
  needs.partition = "short,main";
  EXPECT_TRUE(check_limits(partitions, needs));
}

TEST(SlurmLimits, APartitionThatIsNotThereIsGuessed) {
  EXPECT_EQ(told_of({"shrt", 1, 0}), "Slurm has no partition `shrt` | Did you mean `short`?");
}

TEST(SlurmLimits, WhereNothingIsKnownNothingIsWrong) {
  EXPECT_EQ(told_of({"any", 9, 9}, "MaxArraySize = 1001\n"), "");
  EXPECT_EQ(told_of({"", 9, 9}, "PartitionName=a Default=NO TotalNodes=1\n"), "");
}

}  // namespace
}  // namespace trainmake
