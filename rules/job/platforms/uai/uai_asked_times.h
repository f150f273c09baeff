// How long ago the service was asked to create a job, when nobody heard what came of that: until it is long
// enough the job may still appear. By the clock that runs since the machine was started, since the other may
// be set; where that says nothing, as after another start, from when this process looked first. Knows nothing
// of the service. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "engine/base/host.h"
#include "rules/job/platforms/uai/uai_run.h"

namespace trainmake {

class UaiAskedTimes {
 public:
  explicit UaiAskedTimes(Host& host) : host_(host) {}

  // It is asked now.
  Result<void> begin(const UaiRun& run);
  // What is left of the wait; 0 when nothing is.
  Result<std::int64_t> left_ns(const UaiRun& run);
  Result<bool> is_over(const UaiRun& run);

 private:
  Host& host_;
  std::mutex mutex_;                              // guards what follows
  std::map<std::string, std::int64_t> first_ns_;  // by run: steady, when it was looked at here
};

}  // namespace trainmake
