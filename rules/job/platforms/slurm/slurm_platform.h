// Jobs on a cluster that Slurm runs, by its commands. Everything that a job needs and leaves lies in a folder
// that this machine and the nodes see under one path. The protocol between clients, script and Slurm is told
// in README.md.
#pragma once

#include <string>
#include <vector>

#include "cache/blobs.h"
#include "engine/base/host.h"
#include "engine/model/project.h"
#include "rules/job/platform.h"
#include "rules/job/platforms/slurm/shared_files.h"
#include "rules/job/platforms/slurm/slurm_answers.h"
#include "rules/job/platforms/slurm/slurm_commands.h"
#include "rules/job/platforms/slurm/slurm_options.h"
#include "rules/job/platforms/slurm/slurm_queue.h"
#include "rules/job/platforms/slurm/slurm_run.h"

namespace trainmake {

class SlurmPlatform final : public Platform {
 public:
  SlurmPlatform(Host& host, const Workspace& workspace, Blobs& blobs, SlurmOptions options);

  Result<std::string> submit(const JobSpec& spec, const Secrets& secrets) override;
  Result<JobStatus> poll(const JobHandle& job) override;
  Result<std::string> read_log(const JobHandle& job, std::int64_t offset, std::size_t limit) override;
  Result<void> cancel(const JobHandle& job) override;
  Result<std::string> outputs(const JobHandle& job) override;
  Result<void> settled(const JobHandle& job, RunStatus end, const std::vector<std::string>& stored) override;

  Result<SlurmRun> folder_of(const std::string& run);

 private:
  // Below the shared folder, which workspaces share: what is this one's, and goes where its memory goes.
  Result<std::string> home_of_workspace(const char* what);
  Result<std::optional<FileLock>> hold(const std::string& run);
  Result<void> drop_settled(const SlurmRun& run);
  Result<SlurmTraces> traces_of(const SlurmRun& run);
  Result<std::string> hand_over(const JobSpec& spec, const Secrets& secrets, const SlurmRun& run,
                                const std::string& ticket);
  Result<std::string> call_sbatch(const std::vector<std::string>& words, const std::string& name,
                                  const std::string& ticket);
  Result<std::optional<std::string>> find(const std::string& name, const SlurmTraces& traces);
  Result<std::vector<std::string>> lay_out(const JobSpec& spec, const SlurmRun& run,
                                           const std::string& ticket);
  Result<JobStatus> ask_slurm(const JobHandle& job, const SlurmRun& run, const SlurmTraces& traces);
  Result<bool> cancel_unstarted(const SlurmRun& run);
  Result<void> end_in_slurm(const std::string& number);

  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
  SlurmOptions options_;
  SharedFiles shared_;
  SlurmCommands commands_;
  SlurmQueue queue_;
};

}  // namespace trainmake
