// What a job in a container of its image finds where, under its contract: there the contract's own paths
// hold. Folders that it leaves to the platform are where container_order.h says. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/container/container.h"
#include "rules/job/contract.h"

namespace trainmake {

struct ContainerLayout {
  Folders folders;                                         // as the job sees them
  std::vector<ContainerMount> mounts;                      // outer ones first
  std::vector<std::string> points;                         // folders of this machine that are mounted on
  std::vector<std::pair<std::string, std::string>> files;  // where on this machine, and what is in it
  bool has_own_code = false;                               // it wants the code elsewhere than images have it
};

// `here` is where this machine has the folders; files that lie in none of them begin at `places`.
ContainerLayout layout_in_container(const Contract& contract, const JobSpec& spec, const Folders& here,
                                    const std::string& places, const Rank& rank = {});

// What a job sees in a container is another thing than what it sees of a machine, and so is a network.
// `variant` is of the image, "" as the job's resources say.
Contract contract_in_container(Contract contract, bool network, const std::string& variant = "");
// What the version of a contract, which is kept with a run, tells of how the run saw its job.
struct ContractTold {
  std::string name;  // of the contract
  bool in_container = false;
  std::string variant;
  std::string itself = {};  // its version, wherever the job runs

  std::string text() const;  // without the version: "uai in a container, gpu"
};
ContractTold told_by(std::string_view contract_version);
// `folders` as the job sees them. What its image says of the environment goes before what is only a habit of
// ours; `path` is the PATH of an image that says none. REQUIRES: the spec has a root.
RenderedJob render_in_container(const Contract& contract, const JobSpec& spec, const Folders& folders,
                                const std::string& path, const Rank& rank = {});

}  // namespace trainmake
