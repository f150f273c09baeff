// What TRAINSPACE.lua says of a platform of type `slurm`. Pure.
#pragma once

#include <string>
#include <string_view>
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

// The value of an option of sbatch in `extra`, whose name may be cut short; nullptr when it is not there.
const std::string* extra_of(const SlurmOptions& options, std::string_view option);
// The features that a node is to have: the job's `instance` and the `constraint` of `extra`, both where there
// are both. What these cannot be together is an error.
Result<std::string> constraint_of(const SlurmOptions& options, const Table& resources);

Result<SlurmOptions> slurm_options_of(const Service& service, const Workspace& workspace);

// What is wrong with the attribute `extra`.
std::vector<Error> wrong_slurm_extra(const Value& extra);

}  // namespace trainmake
