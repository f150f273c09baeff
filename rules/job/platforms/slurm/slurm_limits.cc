#include "rules/job/platforms/slurm/slurm_limits.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

std::optional<std::int64_t> smaller(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

SlurmPartition parse_partition(std::string_view line) {
  SlurmPartition partition;
  for (const std::string& field : split(line, ' ')) {
    const std::size_t sign = field.find('=');
    if (sign == field.npos) continue;
    const std::string name = field.substr(0, sign), value = field.substr(sign + 1);
    if (name == "PartitionName") partition.name = value;
    if (name == "Default") partition.is_default = value == "YES";
    if (name == "MaxTime") partition.minutes = parse_minutes(value);
    if (name == "MaxNodes" || name == "TotalNodes")
      partition.nodes = smaller(partition.nodes, whole_number<std::int64_t>(value));
  }
  return partition;
}

const SlurmPartition* partition_named(const std::vector<SlurmPartition>& partitions,
                                      const std::string& name) {
  const auto found = std::find_if(partitions.begin(), partitions.end(), [&](const SlurmPartition& each) {
    return name.empty() ? each.is_default : each.name == name;
  });
  return found == partitions.end() ? nullptr : &*found;
}

// One that is "" is the default one.
std::vector<std::string> names_of(const SlurmNeeds& needs) {
  return needs.partition.empty() ? std::vector<std::string>{""} : split(needs.partition, ',');
}

// What of its limits keeps a job from ever starting there; "" when nothing does.
std::string beyond(const SlurmPartition& partition, const SlurmNeeds& needs) {
  if (needs.has_qos) return "";
  if (partition.nodes && needs.nodes > *partition.nodes)
    return cat("has ", plural(static_cast<std::uint64_t>(*partition.nodes), "node"),
               " for a job, and this one asks for ", needs.nodes);
  if (partition.minutes && minutes_of(needs.timeout_s) > *partition.minutes)
    return cat("gives a job ", human_duration(*partition.minutes * 60'000),
               ", and the `timeout` of this one is ", human_duration(needs.timeout_s * 1000));
  return "";
}

std::optional<Error> obstacle(const SlurmPartition& partition, const SlurmNeeds& needs) {
  const auto waits_for_ever = [&](const std::string& why, const char* hint) {
    return user_error(cat("It would wait for ever: partition ", quoted(partition.name), " ", why), hint);
  };
  if (const std::string why = beyond(partition, needs); !why.empty())
    return waits_for_ever(why,
                          "Ask for less, or name another `partition`, or a `qos` that may go beyond it, in "
                          "TRAINSPACE.lua");
  if (const std::string why = lack_of(partition.made_of, needs.nodes, needs.of_each); !why.empty())
    return waits_for_ever(why, "Ask for less, or name another `partition` in TRAINSPACE.lua");
  return std::nullopt;
}

Error no_such_partition(const std::string& name, const std::vector<SlurmPartition>& partitions) {
  std::vector<std::string> names;
  for (const SlurmPartition& partition : partitions) names.push_back(partition.name);
  const std::string meant = did_you_mean(name, names);
  return user_error(cat("Slurm has no partition ", quoted(name)),
                    meant.empty() ? "`sinfo` lists those that there are" : meant);
}

}  // namespace

std::vector<SlurmPartition> parse_partitions(std::string_view text) {
  std::vector<SlurmPartition> partitions;
  for (const std::string& line : split(text, '\n')) {
    SlurmPartition partition = parse_partition(line);
    if (!partition.name.empty()) partitions.push_back(std::move(partition));
  }
  return partitions;
}

std::optional<std::int64_t> parse_minutes(std::string_view time) {
  const std::size_t dash = time.find('-');
  const std::optional<std::int64_t> days =
      dash == time.npos ? std::optional<std::int64_t>(0) : whole_number<std::int64_t>(time.substr(0, dash));
  const std::vector<std::string> parts = split(dash == time.npos ? time : time.substr(dash + 1), ':');
  if (!days || parts.size() != 3) return std::nullopt;
  const auto hours = whole_number<std::int64_t>(parts[0]), minutes = whole_number<std::int64_t>(parts[1]);
  if (!hours || !minutes) return std::nullopt;
  return (*days * 24 + *hours) * 60 + *minutes;
}

Result<void> check_limits(const std::vector<SlurmPartition>& partitions, const SlurmNeeds& needs) {
  std::optional<Error> wrong;
  for (const std::string& name : names_of(needs)) {
    const SlurmPartition* found = partition_named(partitions, name);
    if (found == nullptr && (name.empty() || partitions.empty())) return {};
    if (found == nullptr) return fail(no_such_partition(name, partitions));
    std::optional<Error> why = obstacle(*found, needs);
    if (!why) return {};
    if (!wrong) wrong = std::move(why);
  }
  return fail(*std::move(wrong));
}

std::int64_t minutes_of(std::int64_t timeout_s) { return (timeout_s + 59) / 60; }

std::optional<std::int64_t> most_minutes(const std::vector<SlurmPartition>& partitions,
                                         const SlurmNeeds& needs) {
  std::optional<std::int64_t> most;
  for (const std::string& name : names_of(needs)) {
    const SlurmPartition* found = partition_named(partitions, name);
    if (found != nullptr && found->minutes && *found->minutes >= minutes_of(needs.timeout_s))
      most = smaller(most, found->minutes);
  }
  return most;
}

}  // namespace trainmake
