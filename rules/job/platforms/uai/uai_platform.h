// Jobs on UCloud's UAI-Train: its machines get the image from UHub and the data from a bucket or a UFS, and
// put what the job leaves there. The order in which things are written down and asked for is told in
// README.md.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/stores/store.h"
#include "engine/base/host.h"
#include "engine/base/lock_table.h"
#include "engine/model/event.h"
#include "engine/model/project.h"
#include "rules/job/platform.h"
#include "rules/job/platforms/uai/uai_api.h"
#include "rules/job/platforms/uai/uai_asked_times.h"
#include "rules/job/platforms/uai/uai_data.h"
#include "rules/job/platforms/uai/uai_jobs.h"
#include "rules/job/platforms/uai/uai_log.h"
#include "rules/job/platforms/uai/uai_look_ups.h"
#include "rules/job/platforms/uai/uai_options.h"
#include "rules/job/platforms/uai/uai_request.h"
#include "rules/job/platforms/uai/uai_run.h"

namespace trainmake {

// One of them, or both.
struct UaiPlaces {
  std::optional<UaiPlace> bucket, ufs;
};

class UaiPlatform final : public Platform {
 public:
  // Borrows all but the last three.
  UaiPlatform(Host& host, const Workspace& workspace, const Space& space, Blobs& blobs, Tally& tally,
              UaiOptions options, UaiPlaces places, Contract contract);

  std::vector<Result<std::string>> submit_all(const std::vector<Submission>& jobs) override;
  Result<JobStatus> look_at(const JobHandle& job, const Patience& waiting) override;
  Result<std::string> read_log(const JobHandle& job, const LogPiece& piece) override;
  std::vector<Result<void>> cancel_all(const std::vector<JobHandle>& jobs, const Patience& patience) override;
  Result<std::string> left(const JobHandle& job, const LeftRequest& wanted) override;
  Result<std::vector<std::string>> paths_left(const JobHandle& job, const std::stop_token& stop) override;
  Result<void> settled(const JobHandle& job, RunStatus end, const std::vector<std::string>& stored) override;
  bool reads_at_store(const JobSpec& spec) const override;
  Result<void> admits(const Outlook& job, Asking asking) override;
  // Without them nothing can be asked of it.
  Result<void> check_keys();
  Result<std::vector<Fact>> facts(const JobHandle& job, const std::stop_token& stop) override;

 private:
  struct Notes;
  UaiRun folder_of(const std::string& run) const;
  Result<std::string> name_of(const std::string& key);
  // `known` is the service's id of it as the run is remembered, which is all there is in a copy of the
  // memory.
  Result<Notes> notes_of(const UaiRun& run, const std::string& known);
  Result<void> check_service(const UaiRun& run);
  const UaiPlace& place_for(std::int64_t nodes) const;
  Result<void> check_mounted(const UaiPlace& place) const;
  Result<const UaiPlace*> place_of(const UaiRun& run, const std::string& name);
  Result<void> cancel_one(const JobHandle& job, const Patience& waiting);
  Result<std::string> start(const JobSpec& spec, const Patience& waiting);
  Result<UaiCreation> creation_of(const JobSpec& spec, const std::string& name, const Patience& waiting);
  Result<std::string> create(const UaiRun& run, const UaiCreation& job, const std::stop_token& stop);
  Result<std::string> adopt(const UaiRun& run, const UaiSight& sight, const std::stop_token& stop);
  Result<std::string> adopt_now(const UaiRun& run, const std::string& name, const std::stop_token& stop);
  Result<std::string> adopt_made_before(const UaiRun& run, const std::string& name, const Patience& waiting);
  Result<std::string> adopt_late(const UaiRun& run, const std::string& name, const Patience& waiting);
  Result<JobStatus> status_of_missing(const UaiRun& run, const Notes& notes, bool is_unlisted);
  Result<void> stop_others(const UaiSight& sight, const std::string& number, const std::stop_token& stop);
  Result<void> remember_end(const UaiRun& run, const JobStatus& status);
  Result<void> end(const std::string& number, const std::stop_token& stop);

  Host& host_;
  const Workspace& workspace_;
  UaiOptions options_;
  UaiPlaces places_;
  UaiApi api_;
  UaiLookUps look_ups_;
  UaiJobs jobs_;
  UaiAskedTimes asked_times_;
  LockTable locks_;  // who decides what becomes of a run, among the trainmakes of this workspace
  UaiLog log_;
  Blobs& blobs_;
  UaiData data_;
  std::atomic<bool> was_late_ = false;  // it did not answer before a run: that is not waited for twice
  std::mutex mutex_;                    // guards what follows
  std::string id_;                      // of the workspace, once it was looked up
  std::set<std::string> stopped_;       // ids of jobs that were one too many
};

}  // namespace trainmake
