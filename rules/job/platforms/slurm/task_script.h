// A job's processes on the nodes that Slurm gives it: how many go where, and what each of them runs. Which
// one it is, and where the others are, a task finds out in the shell: hosts are known there alone. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "rules/job/distribution.h"
#include "rules/job/platforms/slurm/batch_script.h"

namespace trainmake {

struct TaskLayout {
  std::int64_t nodes = 1, tasks = 1, per_node = 1;
  bool goes_round = false;  // the nodes, rather than filling one after the other
  bool is_started_by_srun = false;
  bool has_servers = false;  // which end when the others are done
};
TaskLayout task_layout(const JobSpec& spec);

// Whether the script takes ports of its nodes, and has to give them back (`give_ports_back`).
bool takes_ports(const JobSpec& spec);
// Lines of the script that tell where the processes find each other.
std::string render_addresses(const BatchJob& job);
// `"$SRUN" ...` as the command starts them.
std::string render_srun(const BatchJob& job);
// For sed: how lines of the log, each with a rank in front, say whose they are.
std::string render_names(const BatchJob& job);
// What each of them runs.
std::string render_task(const BatchJob& job);

}  // namespace trainmake
