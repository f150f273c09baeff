// What the nodes of partitions have, as sinfo tells it, and whether some would do for a job: one that asks
// for more is refused by Slurm when all was made and sent, or waits for good. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trainmake {

// Those of a partition that are alike.
struct SlurmNodes {
  std::int64_t count = 0;
  std::int64_t cpus = 0, memory_mib = 0;                  // of each
  std::string gres = {};                                  // "gpu:a100:4(S:0-1),shard:8"
  std::int64_t disk_mib = 0;                              // for what is temporary; 0: not known
  std::optional<std::vector<std::string>> features = {};  // nothing: not known
};
// One answer for the whole cluster, in which a thousand nodes that are alike are a line.
std::vector<std::string> sinfo_words();
// By partition.
std::map<std::string, std::vector<SlurmNodes>> parse_nodes(std::string_view text);

// What a job asks of each of its nodes; 0: nothing.
struct NodeNeeds {
  std::string gres = "gpu";  // what its gpus are called, as "gpu:a100"
  std::int64_t gpus = 0, cpus = 0, memory_mib = 0;
  std::int64_t disk_mib = 0;
  std::string constraint = {};  // on their features, as sbatch has it: "a100&nvlink"
  std::string more_gres = {};   // beside the gpus, as sbatch has it: "shard:2,nic"
};
// Why a job of so many nodes never starts on these, as "has no node with 8 of `gpu`; the largest has 4 of
// `gpu`"; "" when it may, or nothing is known of them.
std::string lack_of(const std::vector<SlurmNodes>& kinds, std::int64_t nodes, const NodeNeeds& needs);

}  // namespace trainmake
