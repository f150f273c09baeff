// Jobs on this machine: each in a folder of its own below the cache, run by a supervisor that outlives us.
// Data is read where it lies. Knows no scheduler: what is submitted starts. The protocol between client and
// supervisor is told in README.md.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "engine/base/host.h"
#include "engine/model/project.h"
#include "rules/job/contracts.h"
#include "rules/job/platform.h"
#include "rules/job/platforms/local/prepare.h"
#include "rules/job/platforms/local/run_folder.h"

namespace trainmake {

struct LocalOptions {
  bool container = false;    // jobs run in containers of their images
  bool network = false;      // and these have the machine's network
  std::string variant = {};  // of their images: `cpu`; "" is as their resources say
  std::string runtime = {};  // what starts these; "" is the first that works
  std::string cdi = {};      // a folder of the CDI files that say how they get gpus; "" is the usual ones
};

LocalOptions local_options_of(const Service& platform, const Workspace& workspace);
// What jobs see with these of a contract that is a process's.
Contract contract_with(const LocalOptions& options, Contract contract);

class LocalPlatform final : public Platform {
 public:
  // `contract` is what jobs see.
  LocalPlatform(Host& host, const Workspace& workspace, Blobs& blobs, LocalOptions options = {},
                Contract contract = default_contract());

  std::vector<Result<std::string>> submit_all(const std::vector<Submission>& jobs) override;
  Result<JobStatus> look_at(const JobHandle& job, const Patience& patience) override;
  Result<std::string> read_log(const JobHandle& job, const LogPiece& piece) override;
  std::vector<Result<void>> cancel_all(const std::vector<JobHandle>& jobs, const Patience& patience) override;
  Result<std::string> left(const JobHandle& job, const LeftRequest& wanted) override;
  Result<void> settled(const JobHandle& job, RunStatus end, const std::vector<std::string>& stored) override;

  Result<void> admits(const Outlook& job, Asking asking) override;

  // A shell in the place of the job's command, with our terminal, in what the job would find; all of it goes
  // when the shell ends. `tell` hears which command it stands for, and of waits. Returns what the shell left
  // with.
  Result<int> shell(JobSpec spec, const Secrets& secrets, const std::function<void(std::string)>& tell);

  RunFolder folder_of(const std::string& run) const;
  std::string all_runs() const;
  std::string all_runs_made() const;  // a file that says so

 private:
  Result<std::string> start(const Submission& job);
  Result<void> drop_settled(const RunFolder& run);
  Result<void> lay_out(const Submission& job, const RunFolder& run);
  Result<PrepareOptions> how_to_prepare(const JobSpec& spec, const RunFolder& run, std::string checkpoint);
  // Nothing when it asks for none; an error when there are not as many.
  Result<std::optional<GpuRequest>> gpus_for(const Table& resources);
  // The lock of a run that has not started; an empty optional when it has.
  Result<std::optional<FileLock>> hold_unstarted(const RunFolder& run);
  Result<void> cancel_one(const JobHandle& job);
  Result<bool> cancel_unstarted(const RunFolder& run);
  Result<void> start_supervisor(const RunFolder& run, const Secrets& secrets);
  Result<std::optional<Exit>> exit_of(const RunFolder& run);
  Result<void> check_runs_are_there(const JobHandle& job);
  Result<bool> is_supervised(const RunFolder& run);
  Result<std::string> checkpoint_of(const RunFolder& run);
  std::string checkpoint_folder(std::string_view name) const;
  // Where a process sees its own; "" is where that lies.
  Result<std::string> checkpoint_seen();
  Result<std::string> checkpoint_seen_by(const RunFolder& run);
  Result<JobStatus> living_status(const RunFolder& run, JobStatus status);
  Result<void> end_supervised(const RunFolder& run, const Start& start);
  // Of a run whose supervisor is gone, unless it left word of the end.
  Result<void> end_leftovers(const RunFolder& run, const Start& start);

  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
  LocalOptions options_;
  std::mutex gpus_mutex_;              // guards what follows
  std::uint64_t enough_gpus_ = 0;      // that many were seen to be here
  std::optional<Error> gpus_unknown_;  // nobody answered: the next job would wait as long again
  std::mutex seen_mutex_;              // guards what follows
  std::optional<bool> can_show_;       // a folder at another place; nothing: not tried yet
};

}  // namespace trainmake
