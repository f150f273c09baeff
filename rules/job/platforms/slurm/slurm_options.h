// What TRAINSPACE.lua says of a platform of type `slurm`. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/project.h"

namespace trainmake {

struct SlurmOptions {
  std::string shared_dir;  // absolute
  std::string partition, account, qos;
  std::string gres = "gpu";  // what its accelerators are called
  bool container = false;    // jobs run in containers of their images
  bool network = false;      // and these have their node's network
  std::string runtime;       // what starts these; "" is the first that works on a node
  std::string cdi;           // of the nodes: a folder of CDI files; "" is where they usually lie
  std::string mpi;           // how srun starts ranks of MPI; "" is the cluster's own way
  std::vector<std::pair<std::string, std::string>> extra;  // sorted; "" is an option without a value
};

Result<SlurmOptions> slurm_options_of(const Service& service, const Workspace& workspace);

// What is wrong with the attribute `extra`.
std::vector<Error> wrong_slurm_extra(const Value& extra);

}  // namespace trainmake
