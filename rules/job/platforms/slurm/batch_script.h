// What a job is to Slurm: the words of sbatch, the script that it takes, and the command that this starts.
// Pure: the same job and folders give the same text. Knows no secret's value but in render_secrets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/secrets.h"
#include "rules/job/container_layout.h"
#include "rules/job/contract.h"
#include "rules/job/job_spec.h"
#include "rules/job/platforms/slurm/node_order.h"
#include "rules/job/platforms/slurm/slurm_options.h"
#include "rules/job/platforms/slurm/slurm_run.h"

namespace trainmake {

inline constexpr std::int64_t kSecondsToEnd = 10;  // between SIGTERM and SIGKILL

struct BatchJob {
  const JobSpec& spec;
  const SlurmOptions& options;
  const Contract& contract;
  SlurmRun run;
  Folders folders;      // where they lie in truth, whatever the contract calls them
  std::string code;     // the tree that its code is copied from; "" when there is none
  std::string comment;  // tells its jobs from those of another run of the same name
  // The trainmake that on its nodes starts it in a container, or hides its secrets in what it prints.
  std::string program = {};
  std::optional<std::int64_t> most_minutes = {};  // that its partition gives a job
  bool is_seen = false;                           // its nodes show its checkpoint folder elsewhere (as_seen)
};

// Jobs that differ in nothing that sbatch is told.
struct BatchArray {
  std::string name;
  std::string comment;
  std::string folder;                  // in which each has its run's folder by its index
  std::vector<std::int64_t> elements;  // their indexes, sorted
  bool uses_srun = false;              // each of them
};

// What it needs, as options of sbatch; also what is wrong with what was asked for, as an unknown unit of
// memory.
Result<std::vector<std::string>> render_options(const BatchJob& job);
std::vector<std::string> render_sbatch(const BatchJob& job, const std::vector<std::string>& options);
std::vector<std::string> render_sbatch(const BatchArray& array, const std::vector<std::string>& options);
std::string array_script(const std::string& folder);  // where it lies
std::string render_array_script(const std::string& folder);
std::string render_script(const BatchJob& job);
std::string render_command(const BatchJob& job);
// Whether its process is to see its checkpoint folder where all runs see theirs, or paths in a checkpoint
// would lead to the run that left it. A node that can make no mounts starts the job as it is; another one
// that.
bool is_to_be_seen(const BatchJob& job);
BatchJob as_seen(BatchJob job);
// Becomes what it is told to, with that folder there.
std::string render_view(const BatchJob& job);
// Of the checkpoint that it goes on from, as sha256sum reads them.
std::string render_sums(const Listing& files);
std::int64_t nodes_of(const JobSpec& spec);
std::int64_t cpus_of_task(const JobSpec& spec);  // 0: it does not say
// Of a container: what its node is told, and where the job finds its parts.
NodeOrder node_order(const BatchJob& job, const Rank& rank);
ContainerLayout container_layout(const BatchJob& job);
// The program with its arguments, as words of a shell, and what no shell exports; before them, what
// hides its secrets. Of a container, what starts it.
std::string program_words(const BatchJob& job, const Rank& rank);
// Whether a trainmake has to be on its nodes.
bool needs_program(const SlurmOptions& options, const JobSpec& spec);
// Goes to where that is started, which is no matter of a container's.
std::string in_its_folder(const BatchJob& job, const Rank& rank);
// Goes there and becomes the program.
std::string last_step(const BatchJob& job);
RenderedJob rendered_for(const BatchJob& job, const Rank& rank);
// Lines that a shell reads. REQUIRES: names are shell variables.
std::string render_secrets(const Secrets& secrets);
bool is_shell_variable(std::string_view name);

}  // namespace trainmake
