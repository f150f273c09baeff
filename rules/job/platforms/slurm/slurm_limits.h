// What partitions give a job at most, as scontrol tells it, and whether one would ever start under that:
// Slurm takes most of those that would not, and lets them wait for good. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "rules/job/platforms/slurm/slurm_nodes.h"

namespace trainmake {

struct SlurmPartition {
  std::string name;
  bool is_default = false;
  std::optional<std::int64_t> nodes, minutes;  // of one job at most; nothing: without a limit
  std::vector<SlurmNodes> made_of = {};        // none where they are not known
};
// Of `scontrol --oneliner show partition`.
std::vector<SlurmPartition> parse_partitions(std::string_view text);
// As "1-12:30:00"; nothing when it is unlimited, or no time.
std::optional<std::int64_t> parse_minutes(std::string_view time);

struct SlurmNeeds {
  std::string partition;  // several with commas in between; "" is the default one
  std::int64_t nodes = 1;
  std::int64_t timeout_s = 0;  // 0: none of its own
  NodeNeeds of_each = {};
  bool has_qos = false;  // which may go beyond what a partition gives a job, but not beyond its nodes
};
// Slurm counts in minutes.
std::int64_t minutes_of(std::int64_t timeout_s);
// One of the partitions that are named has to admit it. Nothing is wrong where partitions are not known.
Result<void> check_limits(const std::vector<SlurmPartition>& partitions, const SlurmNeeds& needs);
// The shortest time that one of its partitions gives a job and that is long enough; nothing where none is
// known. More may not be asked of that one.
std::optional<std::int64_t> most_minutes(const std::vector<SlurmPartition>& partitions,
                                         const SlurmNeeds& needs);

}  // namespace trainmake
