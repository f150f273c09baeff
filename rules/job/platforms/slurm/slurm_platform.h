// Jobs on a cluster that Slurm runs, by its commands. Everything that a job needs and leaves lies in a folder
// that this machine and the nodes see under one path. The protocol between clients, script and Slurm is told
// in README.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "engine/base/host.h"
#include "engine/base/lock_table.h"
#include "engine/model/project.h"
#include "rules/job/contracts.h"
#include "rules/job/platform.h"
#include "rules/job/platforms/slurm/known_partitions.h"
#include "rules/job/platforms/slurm/run_traces.h"
#include "rules/job/platforms/slurm/shared_files.h"
#include "rules/job/platforms/slurm/slurm_commands.h"
#include "rules/job/platforms/slurm/slurm_hand_over.h"
#include "rules/job/platforms/slurm/slurm_options.h"
#include "rules/job/platforms/slurm/slurm_queue.h"
#include "rules/job/platforms/slurm/slurm_run.h"
#include "rules/job/platforms/slurm/slurm_state.h"

namespace trainmake {

class SlurmPlatform final : public Platform {
 public:
  // `program` is the trainmake that starts containers on the nodes.
  SlurmPlatform(Host& host, const Workspace& workspace, Blobs& blobs, SlurmOptions options,
                Contract contract = default_contract(), std::string program = "/proc/self/exe");

  std::vector<Result<std::string>> submit_all(const std::vector<Submission>& jobs) override;
  Result<JobStatus> look_at(const JobHandle& job, const Patience& given) override;
  Result<std::string> read_log(const JobHandle& job, const LogPiece& piece) override;
  std::vector<Result<void>> cancel_all(const std::vector<JobHandle>& jobs, const Patience& given) override;
  Result<std::string> left(const JobHandle& job, const LeftRequest& wanted) override;
  Result<void> settled(const JobHandle& job, RunStatus end, const std::vector<std::string>& stored) override;
  Result<void> admits(const Outlook& job, Asking asking) override;

  Result<SlurmRun> folder_of(const std::string& run);

 private:
  Result<SlurmVerdict> verdict_on(const JobHandle& job, const SlurmRun& run, const SlurmPatience& patience);
  Result<void> check_configuration();
  Result<void> check_program();
  Result<void> check_is_gone(const JobHandle& job, const SlurmRun& run, const SlurmPatience& patience);
  Result<std::optional<SlurmJob>> going_on_without_folder(const JobHandle& job, const SlurmRun& run,
                                                          const SlurmPatience& patience);
  Result<bool> was_submitted_lately(const SlurmRun& run);
  // What Slurm knows of a run's job; an empty optional when that cannot be told yet.
  struct Known {
    std::optional<SlurmJob> job;
  };
  Result<std::optional<Known>> look_in_slurm(const SlurmRun& run, const SlurmTraces& traces,
                                             const OwnJob& own, const SlurmPatience& patience);
  Result<void> ask_slurm(const JobHandle& job, const SlurmRun& run, SlurmFacts& facts,
                         const SlurmPatience& patience);
  struct Cancelling;
  Result<Cancelling> begin_to_cancel(const JobHandle& job, const SlurmPatience& patience);
  Result<bool> never_starts(const SlurmRun& run);
  Result<bool> cancel_unstarted(const SlurmRun& run);
  Result<void> give_ports_back(const SlurmRun& run);

  Host& host_;
  SlurmOptions options_;
  SharedFiles shared_;
  SlurmCommands commands_;
  SlurmQueue queue_;
  KnownPartitions partitions_;
  KnownTraces traces_;
  LockTable locks_;  // who decides what becomes of a run, among the trainmakes of this workspace
  SlurmHandOver hand_over_;
};

}  // namespace trainmake
