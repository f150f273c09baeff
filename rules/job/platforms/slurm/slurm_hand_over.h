// Hands runs over to Slurm, each once: looks first for what an earlier try left, and asks for those that are
// alike as one array. The protocol is told in README.md. Thread rule: any thread, several at once.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/lock_table.h"
#include "rules/job/platform.h"
#include "rules/job/platforms/slurm/batch_script.h"
#include "rules/job/platforms/slurm/known_partitions.h"
#include "rules/job/platforms/slurm/shared_files.h"
#include "rules/job/platforms/slurm/slurm_answers.h"
#include "rules/job/platforms/slurm/slurm_commands.h"
#include "rules/job/platforms/slurm/slurm_options.h"
#include "rules/job/platforms/slurm/slurm_queue.h"
#include "rules/job/platforms/slurm/slurm_run.h"

namespace trainmake {

class SlurmHandOver {
 public:
  // Borrows all.
  SlurmHandOver(Host& host, const SlurmOptions& options, const Contract& contract, SharedFiles& shared,
                SlurmCommands& commands, SlurmQueue& queue, KnownPartitions& partitions, LockTable& locks,
                std::string program)
      : host_(host),
        options_(options),
        contract_(contract),
        shared_(shared),
        commands_(commands),
        queue_(queue),
        partitions_(partitions),
        locks_(locks),
        program_(std::move(program)) {}

  // The numbers of their jobs, in their order.
  std::vector<Result<std::string>> submit(const std::vector<Submission>& jobs);

 private:
  struct Leaving;
  using Group = std::vector<Leaving*>;
  Result<void> begin(Leaving& one);
  void adopt(std::vector<Leaving>& all);
  Result<void> check_is_gone(const Leaving& one);
  void lay_out(std::vector<Leaving>& all);
  Result<void> lay_out(Leaving& one);
  Result<void> lay_out_seen(const BatchJob& job);
  Result<void> place(BatchJob& job, const Patience& patience);
  void give_tickets(std::vector<Leaving>& all);
  void give_tickets(const Group& alike);
  void call(const Group& group);
  Result<std::vector<std::string>> words_for(const Group& group);
  Result<std::string> call_sbatch(const std::vector<std::string>& words, const SlurmPatience& patience);
  std::size_t array_limit(SlurmPatience patience);
  std::optional<std::int64_t> most_minutes_for(const JobSpec& spec);

  Host& host_;
  const SlurmOptions& options_;
  const Contract& contract_;
  SharedFiles& shared_;
  SlurmCommands& commands_;
  SlurmQueue& queue_;
  KnownPartitions& partitions_;
  LockTable& locks_;
  std::string program_;  // starts containers on the nodes, once it is copied to where they see it
  std::mutex mutex_;
  std::optional<std::int64_t> array_limit_;  // asked for when first needed
};

}  // namespace trainmake
