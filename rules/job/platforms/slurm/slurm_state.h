// What a run left in its folder, and what Slurm knows of its job, as the state of that job. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/job/platform.h"
#include "rules/job/platforms/slurm/slurm_answers.h"

namespace trainmake {

// What the script writes when the command has ended.
struct SlurmExit {
  int exit_code = 0;
  bool asked = false;  // Slurm, or the time limit, asked it to end
  std::int64_t started_ns = 0, ended_ns = 0;
  std::string process = {};  // of several, the one that the code is of; else ""
};
std::optional<SlurmExit> parse_slurm_exit(std::string_view text);
// The same as the text of a link: "3 false 1700000000000000000 1700000001000000000 worker 0".
std::optional<SlurmExit> parse_slurm_ended(std::string_view text);

// An end as it was concluded, kept where Slurm may forget it.
std::string render_end(const JobStatus& status);
std::optional<JobStatus> parse_end(std::string_view text);

// What lies in the folder of a run.
struct SlurmTraces {
  SlurmTicket ticket;
  std::string number;  // of its job, as sbatch answered; "" when that is not known
  std::string owner;   // the number of the job that started, or kCancelledOwner
  std::int64_t started_ns = 0;
  std::optional<SlurmExit> exit;
  std::int64_t timed_out_s = 0;  // not 0: it took longer than this
  bool cancel_asked = false;
  std::string end;  // as it was concluded before (parse_end)
};

// Whether it waits or runs, as far as can be told.
bool is_active(const SlurmJob& job);
// How it ended, when its traces alone tell: Slurm need not be asked.
std::optional<JobStatus> end_told_by(const SlurmTraces& traces);
// By what the jobs of the run with this key are known.
OwnJob own_job_of(const SlurmTraces& traces, const std::string& key);
// The job of the run among those that Slurm knows; nullptr when it knows none. Of several, one that may yet
// start.
const SlurmJob* job_of(const OwnJob& own, const std::vector<SlurmJob>& jobs);
// REQUIRES: end_told_by says nothing. `job` is what Slurm knows, or nullptr.
JobStatus status_of(const SlurmTraces& traces, const SlurmJob* job, std::int64_t now_ns);

}  // namespace trainmake
