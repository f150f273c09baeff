// How a run goes, or ended: the one place that says so, from what it left in its folder, what Slurm knows of
// its job and what was asked. Others only find that out. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/job/platform.h"
#include "rules/job/platforms/slurm/slurm_answers.h"
#include "rules/job/platforms/slurm/slurm_exit.h"

namespace trainmake {

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

// What is known of a run by who looks at it.
struct SlurmFacts {
  // Nothing said: its name was in no call yet, or whether it has one cannot be told before some seconds.
  enum class Slurm : std::uint8_t { kNotAsked, kNothingSaid, kAnswered };
  // Of who saw to it that a job of it never starts any more.
  enum class Barred : std::uint8_t { kNotTried, kInTime, kTooLate };

  SlurmTraces traces = {};
  Slurm slurm = Slurm::kNotAsked;
  std::optional<SlurmJob> job = {};  // kAnswered: that it has; nothing: for certain none
  Barred barred = Barred::kNotTried;
  bool has_output = true;  // looked for after a success
  std::int64_t now_ns = 0;
};

struct SlurmVerdict {
  enum class What : std::uint8_t { kAskSlurm, kBarFirst, kNotHandedOver, kGoesOn, kOver };
  What what = What::kAskSlurm;
  JobStatus status = {};    // but of kAskSlurm
  bool is_to_keep = false;  // an end that Slurm tells of, and may forget
};
SlurmVerdict verdict_of(const SlurmFacts& facts);

// What is left to do for one that is to be cancelled, once it is known whether it was kept from starting.
enum class StillToDo : std::uint8_t { kNothing, kEndJob, kFreeItsPlace };
StillToDo still_to_do(const SlurmFacts& facts, bool is_over_in_slurm);

// Whether a job that squeue does not tell of is gone: by what scontrol shows under its number, if it says
// anything, and whether squeue was asked once more some seconds later.
enum class Absence : std::uint8_t { kGone, kNotSure, kContradicted };
Absence absence_of(const OwnJob& own, const std::optional<std::vector<SlurmJob>>& shown, bool is_asked_again);

// Whether it waits or runs, as far as can be told.
bool is_active(const SlurmJob& job);
// Whether Slurm says that the one with its number is over.
bool is_told_over(const OwnJob& own, const std::vector<SlurmJob>& jobs);
// Numbers of jobs of the run that go on, and whether Slurm knows any job of it.
struct GoingOn {
  bool is_known = false;
  std::vector<std::string> numbers = {};
};
GoingOn going_on_of(const OwnJob& own, const std::vector<SlurmJob>& jobs);

// How it ended, when its traces alone tell: Slurm need not be asked.
std::optional<JobStatus> end_told_by(const SlurmTraces& traces);
// By what the jobs of the run with this key, whose folder this is, are known.
OwnJob own_job_of(const SlurmTraces& traces, const std::string& key, const std::string& folder = "");
// The job of the run among those that Slurm knows; nullptr when it knows none. Of several, one that may yet
// start.
const SlurmJob* job_of(const OwnJob& own, const std::vector<SlurmJob>& jobs);
// REQUIRES: end_told_by says nothing. `job` is what Slurm knows, or nullptr.
JobStatus status_of(const SlurmTraces& traces, const SlurmJob* job, std::int64_t now_ns);

}  // namespace trainmake
