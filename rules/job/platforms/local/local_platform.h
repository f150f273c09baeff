// Jobs on this machine: each in a folder of its own below the cache, run by a supervisor that outlives us.
// Data is read where it lies. Knows no scheduler: what is submitted starts. The protocol between client and
// supervisor is told in README.md.
#pragma once

#include <string>
#include <vector>

#include "cache/blobs.h"
#include "engine/base/host.h"
#include "engine/model/project.h"
#include "rules/job/platform.h"
#include "rules/job/platforms/local/run_folder.h"

namespace trainmake {

class LocalPlatform final : public Platform {
 public:
  LocalPlatform(Host& host, const Workspace& workspace, Blobs& blobs);

  Result<std::string> submit(const JobSpec& spec, const Secrets& secrets) override;
  Result<JobStatus> poll(const JobHandle& job) override;
  Result<std::string> read_log(const JobHandle& job, std::int64_t offset, std::size_t limit) override;
  Result<void> cancel(const JobHandle& job) override;
  Result<std::string> outputs(const JobHandle& job) override;
  Result<void> settled(const JobHandle& job, RunStatus end, const std::vector<std::string>& stored) override;

  RunFolder folder_of(const std::string& run) const;

 private:
  Result<void> drop_settled(const RunFolder& run);
  Result<void> lay_out(const JobSpec& spec, const RunFolder& run);
  // The lock of a run that has not started; an empty optional when it has.
  Result<std::optional<FileLock>> hold_unstarted(const RunFolder& run);
  Result<bool> cancel_unstarted(const RunFolder& run);
  Result<void> start_supervisor(const RunFolder& run, const Secrets& secrets);
  Result<std::optional<Exit>> exit_of(const RunFolder& run);
  Result<bool> is_supervised(const RunFolder& run);
  Result<void> end_supervised(const RunFolder& run, const Start& start);
  // Of a run whose supervisor is gone, unless it left word of the end.
  Result<void> end_leftovers(const RunFolder& run, const Start& start);

  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
};

}  // namespace trainmake
