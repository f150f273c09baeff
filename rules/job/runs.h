// What a platform tells, as a run; and looking back at runs, for `ps`, `runs`, `show`, `logs`, `attach`,
// `cancel` and `pull`. Writes nothing to memory.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/model/record.h"
#include "rules/job/metrics.h"
#include "rules/job/platform.h"

namespace trainmake {

// The run with what its platform told of it at `now_ns`. An end that comes without a time is of then, and a
// job that the platform does not know is lost.
Run as_told(Run run, const JobStatus& status, std::int64_t now_ns);

// The run as it is now: one that is not over as remembered is asked for. When the platform cannot tell, its
// status is unknown.
Run settle(Platform& platform, Clock& clock, Run run);

// A run in flight whose job reads what lies at `store`; a job of our platform is asked for, for it may have
// ended while nobody looked. `runs` is what is remembered.
std::optional<Run> reader_of(const std::string& store, std::vector<Run> runs,
                             const std::string& platform_name, Platform& platform, Clock& clock);

struct CancelOptions {
  std::chrono::milliseconds patience{20'000};
};
// Asks the platform to end it and waits for the end. Returns the run as it ended, for the caller to remember.
Result<Run> cancel(Platform& platform, Clock& clock, const Run& run, CancelOptions options = {});

// The numbers that its log tells. Of a log that cannot be read to its end, those that come before.
std::map<std::string, double> metrics_told(Platform& platform, const Run& run, Metrics metrics);

// The next piece of what it printed, from `offset` on, which is moved behind it. Empty: nothing more yet.
Result<std::string> next_of_log(Platform& platform, const Run& run, std::int64_t& offset);

// The last `limit` bytes of what it printed.
Result<std::string> end_of_log(Platform& platform, const Run& run, std::size_t limit);

}  // namespace trainmake
