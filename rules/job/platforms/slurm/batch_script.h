// What a job is to Slurm: the words of sbatch, the script that it takes, and the command that this starts.
// Pure: the same job and folders give the same text. Knows no secret's value but in render_secrets.
#pragma once

#include <string>
#include <vector>

#include "engine/base/secrets.h"
#include "rules/job/contract.h"
#include "rules/job/job_spec.h"
#include "rules/job/platforms/slurm/slurm_options.h"
#include "rules/job/platforms/slurm/slurm_run.h"

namespace trainmake {

struct BatchJob {
  const JobSpec& spec;
  const SlurmOptions& options;
  SlurmRun run;
  Folders folders;
  std::string code;    // the tree that its code is copied from; "" when there is none
  std::string ticket;  // tells its jobs from those of another run of the same name
};

// Also what is wrong with what was asked for, as an unknown unit of memory.
Result<std::vector<std::string>> render_sbatch(const BatchJob& job);
std::string render_script(const BatchJob& job);
std::string render_command(const BatchJob& job);
// Of a job of several nodes, what its command starts on each.
std::string render_task(const BatchJob& job);
std::int64_t nodes_of(const JobSpec& spec);
// Lines that a shell reads. REQUIRES: names are shell variables.
std::string render_secrets(const Secrets& secrets);
bool is_shell_variable(std::string_view name);

// One word, whatever is in it.
std::string shell_quoted(std::string_view text);

}  // namespace trainmake
