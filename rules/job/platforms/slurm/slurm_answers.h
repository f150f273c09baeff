// What Slurm's commands say, and what a run left in its folder, as the state of a job. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/job/platform.h"

namespace trainmake {

struct SlurmJob {
  std::string number;
  std::string state;  // "PENDING"
  std::string name, reason;
  std::string comment;  // "" where it is not told
  int restarts = 0;
  std::int64_t started_s = 0, ended_s = 0;  // 0: not known; of one that goes on, when it would have to end
};

// The words of squeue that give what parse_squeue reads. `names` "" asks for all jobs.
std::vector<std::string> squeue_words(const std::vector<std::string>& names);
// An empty optional for what is no such answer.
std::optional<std::vector<SlurmJob>> parse_squeue(std::string_view text);

std::vector<std::string> sacct_words(const std::vector<std::string>& numbers);
std::optional<std::vector<SlurmJob>> parse_sacct(std::string_view text);

// The number that sbatch answers: "12", or "12;cluster".
std::optional<std::string> parse_sbatch(std::string_view text);
// Whether what a command complained of leaves open what became of it: Slurm could not be reached, or was
// busy.
bool leaves_open(std::string_view complaint);
// The last thing that a command complained of, without its name: "Invalid partition name specified".
std::string complaint_of(std::string_view errors);

// What the script writes when the command has ended.
struct SlurmExit {
  int exit_code = 0;
  bool asked = false;  // Slurm, or the time limit, asked it to end
  std::int64_t started_ns = 0, ended_ns = 0;
};
std::optional<SlurmExit> parse_slurm_exit(std::string_view text);

// An end as it was concluded, kept where Slurm may forget it.
std::string render_end(const JobStatus& status);
std::optional<JobStatus> parse_end(std::string_view text);

// What lies in the folder of a run.
struct SlurmTraces {
  std::string ticket;  // "" when nothing was handed over
  std::string number;  // what sbatch answered; "" when that is not known
  std::string owner;   // the number of the job that started, or kCancelledOwner
  std::int64_t started_ns = 0;
  std::optional<SlurmExit> exit;
  std::int64_t timed_out_s = 0;  // not 0: it took longer than this
  bool cancel_asked = false;
};

// How it ended, when its traces alone tell: Slurm need not be asked.
std::optional<JobStatus> end_told_by(const SlurmTraces& traces);
// The job of the run among those of its name; nullptr when Slurm knows none.
const SlurmJob* job_of(const SlurmTraces& traces, const std::vector<SlurmJob>& jobs);
// REQUIRES: end_told_by says nothing. `job` is what Slurm knows, or nullptr.
JobStatus status_of(const SlurmTraces& traces, const SlurmJob* job, std::int64_t now_ns);

}  // namespace trainmake
