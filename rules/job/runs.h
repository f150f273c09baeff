// What a platform tells, as a run; and looking back at runs, for `ps`, `runs`, `show`, `logs`, `attach`,
// `cancel` and `pull`. Writes nothing to memory.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/log_lines.h"
#include "engine/base/redactor.h"
#include "engine/model/memory.h"
#include "engine/model/project.h"
#include "engine/model/record.h"
#include "rules/job/metrics.h"
#include "rules/job/platform.h"

namespace trainmake {

// The run with what its platform told of it at `now_ns`. An end that comes without a time is of then, and a
// job that the platform does not know is lost.
Run as_told(Run run, const JobStatus& status, std::int64_t now_ns);

// What is typed for a run that goes on: its label, as `shown`, or its id where another of the label goes on,
// too.
std::string typed_for(Runs& runs, const Run& run, const std::string& shown);
// Whether it was written down to be handed over, and nobody heard that it was.
bool is_intent(const Run& run);
// The one of these of a label that a job of this manifest takes up in place of starting one: what it
// computes is the same whatever of it is to be kept. Its own before one with other `outputs`.
std::optional<Run> run_to_take_up(const std::vector<Run>& in_flight, const Manifest& manifest);
// One that never was, and never will be: lost, and why.
Run not_handed_over(Run intent);

// The run as it is now: one that is not over as remembered is asked for. When the platform cannot tell, its
// status is unknown. An intent that it knows nothing of stays one, unless `is_left` says that nobody is at
// it.
Run settle(Platform& platform, Clock& clock, Run run, const Patience& patience = {},
           const std::function<bool()>& is_left = nullptr);

// One that never started, or read data that changed, says nothing about a next one.
bool has_failed(const Run& run);
// How often a job was tried in vain in its latest round of tries, by its runs, the newest first: when
// `retries` of them were in vain too, somebody asks for the next round. Tries that somebody else began count:
// whoever looks may remember how they ended.
int failed_of_round(const std::vector<Run>& runs, int retries);

struct CancelOptions {
  std::chrono::milliseconds most{20'000};
  Patience patience = {};
};
// Waits for the end of one that the platform was asked to end. Returns the run as it ended, for the caller to
// remember.
Result<Run> cancelled(Platform& platform, Clock& clock, const Run& run, const CancelOptions& options = {});
// Asks the platform to end it, too.
Result<Run> cancel(Platform& platform, Clock& clock, const Run& run, const CancelOptions& options = {});

// What it tells so far. Of a log that cannot be read to its end, what comes before.
Metrics metrics_told(Platform& platform, FileSystem& files, const Space& space, const Run& run,
                     Metrics metrics, const std::stop_token& stop);

// The next piece of what it printed, from `offset` on, which is moved behind it. Empty: nothing more yet.
Result<std::string> next_of_log(Platform& platform, const Run& run, std::int64_t& offset,
                                const std::stop_token& stop);

// The last `limit` bytes of what it printed.
Result<std::string> end_of_log(Platform& platform, const Run& run, std::size_t limit,
                               const std::stop_token& stop);
// Of these the last lines, to be told with its failure; none where the log cannot be read. Where its reason
// names a process, they are that one's, and what was said since by none of them.
LastLines last_lines_of(Platform& platform, const Run& run, const Redactor& redactor,
                        const std::stop_token& stop = {});

}  // namespace trainmake
