// How a job's processes are laid out over its nodes, and how each is told which one it is and where the
// others are. Pure. Knows no platform: who starts them chooses hosts and ports.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/schema.h"

namespace trainmake {

// A platform that lays processes out itself: what a TRAINFILE says is which kind of them there are.
struct ClusterStyle {
  bool is_given = false;   // by the platform, where a job has several nodes: a server and a worker on each
  std::string chief = {};  // of tf_config: what the first worker is called
  std::string all_hosts = {};  // of dmlc: the variable that names every node
};

struct Distribution {
  enum class Kind : std::uint8_t { kTorchrun, kTfConfig, kPsWorker, kMpi, kDmlc };
  Kind kind = Kind::kTorchrun;
  std::int64_t nodes = 1;
  std::int64_t per_node = 1;              // of torchrun and mpi: processes on each node
  std::int64_t servers = 0, workers = 1;  // of the others: processes in all
  std::string chief = {};                 // of tf_config: what the first worker is called there, if not so
  std::vector<std::string> mpi_options = {};
  std::int64_t launched = 0;   // of torchrun: what the process of each node starts itself; 0 is nothing
  std::string all_hosts = {};  // of dmlc: the variable that names every node

  std::int64_t size() const;  // processes in all
  bool is_by_role() const { return kind != Kind::kTorchrun && kind != Kind::kMpi; }
  friend bool operator==(const Distribution&, const Distribution&) = default;
};

// `"torchrun"` as `{ kind = "torchrun" }`.
Value distribution_value(const Value& declared);
// An empty table is none. REQUIRES: their schema found nothing wrong with them.
std::optional<Distribution> distribution_of(const Table& distribution, const Table& resources);
// What a platform that lays processes out itself makes of it; empty where one node has none of them.
Table as_laid_out(const Table& distribution, const Table& resources, const ClusterStyle& style);
// What such a platform would pass over.
Result<void> check_style(const Table& distribution, const Table& resources, const ClusterStyle& style);
// The attribute of a job, for its schema.
Attribute distribution_attribute();
// What of it no platform could do: fewer processes than nodes, or a flag or variable that the job sets, too.
Result<void> check_distribution(const Distribution& distribution, const std::vector<std::string>& arguments,
                                const std::vector<std::string>& environment);
// One process of a job.
struct Task {
  std::string role = {};   // "ps", "worker", "chief", "scheduler"; "" where they differ by rank alone
  std::int64_t index = 0;  // in its role
  std::int64_t rank = 0;   // among all
  std::int64_t node = 0;
  std::int64_t local_rank = 0;
  bool serves = false;  // works for others until they are done

  std::string name() const;  // "3", "ps 1"
};
// Servers go first and a scheduler last, and those of roles go round the nodes; the others fill one node
// after the other.
std::vector<Task> tasks_of(const Distribution& distribution);

struct Address {
  std::string host;
  int port = 0;
};
struct ToldTask {
  std::vector<std::string> arguments;  // behind its own
  std::map<std::string, std::string> environment;
};
// `addresses`: of each task, by rank.
ToldTask tell(const Distribution& distribution, const Task& task, const std::vector<Address>& addresses);

// `mpirun` and its words, which go in front of a command that it starts itself.
std::vector<std::string> mpirun_words(const Distribution& distribution);
// What lets it start more of them on one machine than there are processors, as whoever we are.
std::map<std::string, std::string> mpirun_environment();

}  // namespace trainmake
