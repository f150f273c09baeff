// What a run left in its folder, read. Knows nothing of what it means (slurm_state.h).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "engine/base/host.h"
#include "rules/job/platforms/slurm/slurm_run.h"
#include "rules/job/platforms/slurm/slurm_state.h"

namespace trainmake {

Result<SlurmTraces> traces_of(FileSystem& files, const SlurmRun& run);

// The traces of runs that are looked at again and again. All of them are files that are made in the run's
// folder, so while that does not change they are as they were. Thread rule: any thread.
class KnownTraces {
 public:
  KnownTraces(FileSystem& files, Clock& clock) : files_(files), clock_(clock) {}
  Result<SlurmTraces> of(const SlurmRun& run);

 private:
  struct Known {
    std::int64_t mtime_ns = 0;  // of the folder
    std::int64_t since_ns = 0;  // when it was first seen to be of then
    bool is_sound = false;      // read so long after that nothing can have been made in that moment
    SlurmTraces traces;
  };
  FileSystem& files_;
  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // by the folder
};

}  // namespace trainmake
