// Has Slurm end jobs, as many as there are by a few commands, and none that is not ours. Knows no folder.
#pragma once

#include <vector>

#include "rules/job/platforms/slurm/slurm_answers.h"
#include "rules/job/platforms/slurm/slurm_commands.h"
#include "rules/job/platforms/slurm/slurm_queue.h"

namespace trainmake {

// Fine for those that are over; the answers are in their order. An error leaves open what became of the job.
std::vector<Result<void>> end_jobs(SlurmQueue& queue, SlurmCommands& commands,
                                   const std::vector<OwnJob>& jobs, const SlurmPatience& patience);

}  // namespace trainmake
