// The partitions of the cluster and what they are made of, asked for when first needed, and once. Thread
// rule: any thread.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "rules/job/platforms/slurm/slurm_commands.h"
#include "rules/job/platforms/slurm/slurm_limits.h"

namespace trainmake {

class KnownPartitions {
 public:
  explicit KnownPartitions(SlurmCommands& commands) : commands_(commands) {}
  // None where Slurm does not tell.
  std::vector<SlurmPartition> all();

 private:
  void look_at_nodes();

  SlurmCommands& commands_;
  std::mutex mutex_;
  std::optional<std::vector<SlurmPartition>> partitions_;
};

}  // namespace trainmake
