// What a node is told of a job that runs in a container of its image there: the client leaves it in the run's
// folder, for a trainmake on the node to carry out (run_on_node.h). Pure: render, parse.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/host.h"
#include "rules/job/container_order.h"
#include "rules/job/contract.h"

namespace trainmake {

struct NodeOrder {
  ContainerOrder container;          // but for the runtime: which of them works, the node finds out
  RenderedJob job;                   // as it is known before: more of its environment is told on the node
  std::vector<std::string> secrets;  // names of variables that are there on the node
};
// Which gpus of the node Slurm gave the job, by the numbers of their nodes: its own words go before CUDA's,
// which count anew where a job sees no others. Empty when it names none.
std::vector<GpuName> gpus_named_by_slurm(const Environment& environment);

std::string render(const NodeOrder& order);
std::optional<NodeOrder> parse_node_order(std::string_view bytes);

}  // namespace trainmake
