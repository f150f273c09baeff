#include "rules/job/distribution.h"

#include <gtest/gtest.h>

#include "rules/job/job_schema.h"
#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

Value word(const char* text) { return value_of(std::string(text)); }
Value number(std::int64_t count) { return value_of(count); }

Distribution distribution(std::map<std::string, Value> fields, std::int64_t nodes, std::int64_t gpus = 0) {
  const auto found = distribution_of(*table_of(std::move(fields)).table(),
                                     *table_of({{"nodes", number(nodes)}, {"gpus", number(gpus)}}).table());
  EXPECT_TRUE(found);
  return found.value_or(Distribution{});
}

// Name, node and what each is told, with a port for each rank.
std::string told(const Distribution& distribution) {
  const std::vector<Task> tasks = tasks_of(distribution);
  std::vector<Address> addresses;
  for (const Task& task : tasks)
    addresses.push_back({cat("h", task.node), static_cast<int>(100 + task.rank)});
  std::string text;
  for (const Task& task : tasks) {
    text += cat(task.name(), " at ", task.node, task.serves ? " serves:" : ":");
    const ToldTask told = tell(distribution, task, addresses);
    for (const std::string& argument : told.arguments) text += cat(" ", argument);
    for (const auto& [name, value] : told.environment) text += cat(" ", name, "=", value);
    text += "\n";
  }
  return text;
}

TEST(Distribution, TorchrunFillsOneNodeAfterTheOther) {
  const std::string all = "LOCAL_WORLD_SIZE=2 MASTER_ADDR=h0 MASTER_PORT=100 NODE_RANK=";
  EXPECT_EQ(told(distribution({{"kind", word("torchrun")}}, 2, 2)),
            cat("0 at 0: LOCAL_RANK=0 ", all, "0 RANK=0 WORLD_SIZE=4\n", "1 at 0: LOCAL_RANK=1 ", all,
                "0 RANK=1 WORLD_SIZE=4\n", "2 at 1: LOCAL_RANK=0 ", all, "1 RANK=2 WORLD_SIZE=4\n",
                "3 at 1: LOCAL_RANK=1 ", all, "1 RANK=3 WORLD_SIZE=4\n"));
  EXPECT_EQ(distribution({{"kind", word("torchrun")}}, 3).size(), 3);
  EXPECT_EQ(distribution({{"kind", word("torchrun")}, {"processes_per_node", number(4)}}, 1, 2).size(), 4);
}

TEST(Distribution, PsWorkerHasOneOfEachOnEachNode) {
  const std::string hosts = "--ps_hosts=h0:100,h1:101 --worker_hosts=h0:102,h1:103 --job_name=";
  EXPECT_EQ(told(distribution({{"kind", word("ps_worker")}}, 2, 4)),
            cat("ps 0 at 0 serves: ", hosts, "ps --task_index=0 CUDA_VISIBLE_DEVICES=\n",
                "ps 1 at 1 serves: ", hosts, "ps --task_index=1 CUDA_VISIBLE_DEVICES=\n", "worker 0 at 0: ",
                hosts, "worker --task_index=0\n", "worker 1 at 1: ", hosts, "worker --task_index=1\n"));
}

TEST(Distribution, TfConfigIsJsonForEach) {
  EXPECT_EQ(told(distribution({{"kind", word("tf_config")}}, 2)),
            "worker 0 at 0: TF_CONFIG={\"cluster\":{\"worker\":[\"h0:100\",\"h1:101\"]},"
            "\"task\":{\"index\":0,\"type\":\"worker\"}}\n"
            "worker 1 at 1: TF_CONFIG={\"cluster\":{\"worker\":[\"h0:100\",\"h1:101\"]},"
            "\"task\":{\"index\":1,\"type\":\"worker\"}}\n");
  // As UAI-Train lays out two nodes: every node a server, the first one's worker the master.
  EXPECT_EQ(
      told(distribution({{"kind", word("tf_config")}, {"ps", number(2)}, {"chief", word("master")}}, 2)),
      "ps 0 at 0 serves: CUDA_VISIBLE_DEVICES= TF_CONFIG={\"cluster\":{\"master\":[\"h0:102\"],"
      "\"ps\":[\"h0:100\",\"h1:101\"],\"worker\":[\"h1:103\"]},\"environment\":\"cloud\","
      "\"task\":{\"index\":0,\"type\":\"ps\"}}\n"
      "ps 1 at 1 serves: CUDA_VISIBLE_DEVICES= TF_CONFIG={\"cluster\":{\"master\":[\"h0:102\"],"
      "\"ps\":[\"h0:100\",\"h1:101\"],\"worker\":[\"h1:103\"]},\"environment\":\"cloud\","
      "\"task\":{\"index\":1,\"type\":\"ps\"}}\n"
      "master 0 at 0: TF_CONFIG={\"cluster\":{\"master\":[\"h0:102\"],"
      "\"ps\":[\"h0:100\",\"h1:101\"],\"worker\":[\"h1:103\"]},\"environment\":\"cloud\","
      "\"task\":{\"index\":0,\"type\":\"master\"}}\n"
      "worker 0 at 1: TF_CONFIG={\"cluster\":{\"master\":[\"h0:102\"],"
      "\"ps\":[\"h0:100\",\"h1:101\"],\"worker\":[\"h1:103\"]},\"environment\":\"cloud\","
      "\"task\":{\"index\":0,\"type\":\"worker\"}}\n");
}

// On machines of `1-P40` and its like, whose platform lays processes out itself.
std::string told_by_platform(const char* kind, std::int64_t nodes, const char* node_type) {
  const Value declared = distribution_value(word(kind));
  const Value resources = table_of({{"nodes", number(nodes)}, {"node_type", word(node_type)}});
  const Table laid_out = as_laid_out(*declared.table(), *resources.table(),
                                     {.is_given = true, .chief = "master", .all_hosts = "UAI_HOSTS"});
  const std::optional<Distribution> found = distribution_of(laid_out, *resources.table());
  return found ? told(*found) : "alone";
}

TEST(Distribution, APlatformThatLaysThemOutHasAServerAndAWorkerOnEachNode) {
  EXPECT_EQ(
      told_by_platform("tf_config", 2, "1-P40"),
      told(distribution({{"kind", word("tf_config")}, {"ps", number(2)}, {"chief", word("master")}}, 2)));
  const std::string all =
      "DMLC_NUM_SERVER=2 DMLC_NUM_WORKER=2 DMLC_PS_ROOT_PORT=104 DMLC_PS_ROOT_URI=h0 DMLC_ROLE=";
  const std::string rest = " PS_VERBOSE=1 UAI_HOSTS=h0,h1\n";
  EXPECT_EQ(told_by_platform("dmlc", 2, "1-P40"),
            cat("server 0 at 0 serves: CUDA_VISIBLE_DEVICES= ", all, "server", rest,
                "server 1 at 1 serves: CUDA_VISIBLE_DEVICES= ", all, "server", rest, "worker 0 at 0: ", all,
                "worker", rest, "worker 1 at 1: ", all, "worker", rest,
                "scheduler 0 at 0 serves: CUDA_VISIBLE_DEVICES= ", all, "scheduler", rest));
}

TEST(Distribution, APlatformThatLaysThemOutStartsATorchLauncherOnEachNode) {
  const std::string all = "MASTER_ADDR=h0 MASTER_PORT=100 RANK=";
  EXPECT_EQ(told_by_platform("torchrun", 2, "4-P40"),
            cat("0 at 0: ", all, "0 WORKER_GPU_NUM=4 WORKER_NUM=2\n", "1 at 1: ", all,
                "1 WORKER_GPU_NUM=4 WORKER_NUM=2\n"));
}

TEST(Distribution, APlatformThatLaysThemOutTellsOneNodeNothing) {
  EXPECT_EQ(told_by_platform("tf_config", 1, "4-P40"), "alone");
}

TEST(Distribution, WhatAPlatformThatLaysThemOutWouldPassOverIsTold) {
  const ClusterStyle style{.is_given = true};
  const Value two_nodes = table_of({{"nodes", number(2)}}), one_node = table_of({});
  const Value more = table_of({{"kind", word("tf_config")}, {"ps", number(1)}});
  EXPECT_FALSE(check_style(*more.table(), *two_nodes.table(), style));
  EXPECT_TRUE(check_style(*more.table(), *one_node.table(), style));
  EXPECT_TRUE(check_style(*more.table(), *two_nodes.table(), {}));
  EXPECT_FALSE(check_style(*distribution_value(word("mpi")).table(), *two_nodes.table(), style));
  EXPECT_TRUE(check_style(*distribution_value(word("dmlc")).table(), *two_nodes.table(), style));
}

TEST(Distribution, MxnetHasASchedulerWithoutAPlatformOfItsOwn) {
  const std::string all =
      "DMLC_NUM_SERVER=1 DMLC_NUM_WORKER=1 DMLC_PS_ROOT_PORT=102 DMLC_PS_ROOT_URI=h0 DMLC_ROLE=";
  EXPECT_EQ(told(distribution({{"kind", word("dmlc")}}, 1)),
            cat("server 0 at 0 serves: CUDA_VISIBLE_DEVICES= ", all, "server PS_VERBOSE=1\n",
                "worker 0 at 0: ", all, "worker PS_VERBOSE=1\n",
                "scheduler 0 at 0 serves: CUDA_VISIBLE_DEVICES= ", all, "scheduler PS_VERBOSE=1\n"));
}

TEST(Distribution, MpirunStartsThemItself) {
  const Distribution mpi = distribution(
      {{"kind", word("mpi")}, {"processes_per_node", number(3)}, {"options", word("--bind-to  none")}}, 2);
  EXPECT_EQ(join(mpirun_words(mpi), " "), "mpirun -np 6 --bind-to none");
}

TEST(Distribution, WhatIsWrongWithOneIsTold) {
  const struct {
    Value value;
    const char* told;
  } cases[] = {
      {word("torchrunn"), "Did you mean `torchrun`?"},
      {table_of({{"ps", number(1)}}), "does not say of which kind it is"},
      {table_of({{"kind", word("torchrun")}, {"ps", number(1)}}),
       "`distribution.ps` says nothing of `torchrun`"},
      {table_of({{"kind", word("ps_worker")}, {"ps", number(0)}}), "needs a parameter server"},
      {table_of({{"kind", word("tf_config")}, {"chief", word("boss")}}), "expected `chief`"},
      {table_of({{"kind", word("mpi")}, {"opts", word("x")}}), "`opts` is not a field of `distribution`"},
      {number(2), "expected a string, or a table of kind"},
  };
  for (const auto& each : cases) {
    std::string told;
    const Table attributes({}, {{"distribution", each.value}, {"image", word("image:i")}});
    for (const Error& error : check(job_schema(), attributes, {"TRAINFILE.lua", 3}, "job:j"))
      told += cat(error.message, " | ", error.hint, "\n");
    EXPECT_NE(told.find(each.told), std::string::npos) << each.told << " in " << told;
  }
}

TEST(Distribution, WhatNoPlatformCanDoIsRefused) {
  JobWorld world;
  world.set("resources", table_of({{"nodes", number(3)}}));
  world.set("distribution",
            table_of({{"kind", word("ps_worker")}, {"ps", number(1)}, {"workers", number(1)}}));
  EXPECT_NE(world.describe_error().find("3 nodes were asked for, and the distribution has 2 processes"),
            std::string::npos);
  world.set("distribution", word("ps_worker"));
  world.set("params", table_of({{"task_index", number(1)}}));
  EXPECT_NE(world.describe_error().find("`task_index` is set by the job's distribution"), std::string::npos);
  world.set("params", Value());
  world.set("env", table_of({{"TF_CONFIG", word("{}")}}));
  EXPECT_TRUE(world.describe());
  world.set("distribution", word("tf_config"));
  EXPECT_NE(world.describe_error().find("`TF_CONFIG` is set"), std::string::npos);
}

TEST(Distribution, AWordIsATableWithThatKind) {
  JobWorld world;
  world.set("distribution", word("torchrun"));
  const Fingerprint as_word = world.manifest().fingerprint();
  world.set("distribution", table_of({{"kind", word("torchrun")}}));
  EXPECT_EQ(world.manifest().fingerprint(), as_word);
  world.set("distribution", table_of({{"kind", word("torchrun")}, {"processes_per_node", number(2)}}));
  EXPECT_NE(world.manifest().fingerprint(), as_word);
}

}  // namespace
}  // namespace trainmake
