// What the vendor's tools do beside running jobs: the bill, another name or memo of a job, its removal from
// the list. Knows of a run only what the platform noted of it. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/model/event.h"
#include "engine/model/project.h"
#include "rules/job/platforms/uai/uai_api.h"
#include "rules/job/platforms/uai/uai_jobs.h"
#include "rules/job/platforms/uai/uai_options.h"
#include "rules/job/platforms/uai/uai_run.h"

namespace trainmake {

class UaiConsole {
 public:
  // Borrows host, workspace and tally. `tell` hears of a service that does not answer soon.
  UaiConsole(Host& host, const Workspace& workspace, Tally& tally, UaiOptions options, Say tell = nullptr)
      : host_(host),
        workspace_(workspace),
        options_(std::move(options)),
        api_(host_, options_, tally, std::move(tell)),
        jobs_(api_, host_.clock) {}

  // Of the project's jobs, whoever started them. Times are seconds since 1970.
  Result<UaiBill> bill(std::int64_t from_s, std::int64_t until_s);
  // The project's jobs that are on the list, whoever started them; the newest first.
  Result<std::vector<UaiJob>> jobs(const std::stop_token& stop);
  // By the service's id, whoever started it.
  Result<void> stop(const std::string& job);
  // The service's id of the run's job.
  Result<std::string> number_of(const Run& run);
  // The run is found by the service's id of its job from then on, as before.
  Result<void> rename(const Run& run, const std::string& name);
  Result<void> remark(const Run& run, const std::string& memo);
  // REQUIRES: its end is remembered. `when` is told to whoever names it afterwards.
  Result<void> remove(const Run& run, const std::string& when);

 private:
  UaiRun folder_of(const Run& run) const;
  Result<void> change(const Run& run, const std::string& action, UCloudParameters parameters,
                      const std::string& doing);

  Host& host_;
  const Workspace& workspace_;
  UaiOptions options_;
  UaiApi api_;
  UaiJobs jobs_;
};

}  // namespace trainmake
