#include "rules/job/platforms/slurm/known_partitions.h"

#include <chrono>

namespace trainmake {
namespace {

constexpr std::chrono::seconds kPatience{5};  // nothing hangs on it

}  // namespace

std::vector<SlurmPartition> KnownPartitions::all() {
  const std::lock_guard lock(mutex_);
  if (!partitions_) {
    const auto told = commands_.run({"scontrol", "--all", "--oneliner", "show", "partition"}, {kPatience});
    partitions_ = parse_partitions(told && told->exit_code == 0 ? told->output : "");
    if (!partitions_->empty()) look_at_nodes();
  }
  return *partitions_;
}

void KnownPartitions::look_at_nodes() {
  const auto told = commands_.run(sinfo_words(), {kPatience});
  if (!told || told->exit_code != 0) return;
  const std::map<std::string, std::vector<SlurmNodes>> nodes = parse_nodes(told->output);
  for (SlurmPartition& partition : *partitions_) {
    if (const auto found = nodes.find(partition.name); found != nodes.end())
      partition.made_of = found->second;
  }
}

}  // namespace trainmake
