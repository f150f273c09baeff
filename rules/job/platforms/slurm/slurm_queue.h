// What Slurm knows of the jobs that are asked about: one call for all of them, not oftener than once a
// second, and less often while nothing changes, it takes long, or it fails. Knows no folder. Thread rule: any
// thread; who asks while another one's call is under way waits for that.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "rules/job/platforms/slurm/slurm_answers.h"
#include "rules/job/platforms/slurm/slurm_commands.h"

namespace trainmake {

class SlurmQueue {
 public:
  SlurmQueue(SlurmCommands& commands, Clock& clock) : commands_(commands), clock_(clock) {}

  // Whose jobs: of an array, those of one index.
  struct Whose {
    std::string name, element;
    auto operator<=>(const Whose&) const = default;
  };
  enum class Haste : std::uint8_t { kNone, kSoon };  // soon: its end is near, or was

  // Asked as often as anybody likes. An empty optional: this name was in no call yet, and will be in the
  // next.
  Result<std::optional<std::vector<SlurmJob>>> of(const Whose& whose, Haste haste,
                                                  const SlurmPatience& patience = {});
  // What was answered of them is of before.
  void forget(const std::string& name);
  // As they are now, whatever was answered before.
  Result<std::vector<SlurmJob>> named_now(const std::vector<std::string>& names,
                                          const SlurmPatience& patience = {});
  // Of a run whose number nobody wrote down: has scontrol tell the folders of jobs of its name whose comment
  // somebody wrote over. What that does not say stays as it is.
  Result<void> see_folders(const OwnJob& own, std::vector<SlurmJob>& jobs,
                           const SlurmPatience& patience = {});
  // The job that waits or runs now, by the key of its run and the number that was answered, or "": all that
  // is left to know it by where the run's folder is gone.
  Result<std::optional<SlurmJob>> going_on(const std::string& key, const std::string& number,
                                           const SlurmPatience& patience = {});
  // What accounting, where there is any, keeps of a job that slurmctld forgot; when it started, 0 for never.
  Result<std::vector<SlurmJob>> kept(const OwnJob& own, std::int64_t started_ns,
                                     const SlurmPatience& patience = {});
  // Whether a job that squeue does not tell of is gone for certain: scontrol does not know it, either, or,
  // where that says nothing, squeue does not some seconds later. One answer that is empty by mistake would
  // have what runs started again. An error when the two contradict each other.
  // REQUIRES: its number.
  Result<bool> is_gone(const OwnJob& own, const SlurmPatience& patience = {});
  // Whether that was found of late, or that it ended: then nobody need be asked.
  bool is_known_over(const OwnJob& own);

 private:
  using Answer = std::map<Whose, std::vector<SlurmJob>>;
  Result<void> ask(const SlurmPatience& patience);
  void take(Answer answer, std::int64_t took_ns, std::int64_t now_ns);
  Error in_trouble(Error error, std::int64_t now_ns);
  using Shown = std::optional<std::vector<SlurmJob>>;  // empty: nothing was said
  Result<Shown> shown(const std::string& number, std::int64_t now_ns, SlurmPatience patience);

  SlurmCommands& commands_;
  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::int64_t> wanted_;  // by whom anybody asked for, and when
  std::set<std::string> asked_;                 // those that the last answer is about
  Answer answer_;
  std::int64_t soon_ns_ = 0, next_ns_ = 0;  // not asked again before, in haste and without
  std::int64_t pause_ns_ = 0;
  int failures_ = 0;
  std::optional<Error> error_;
  bool has_accounting_ = true;
  struct Kept {
    std::int64_t asked_ns = 0;
    std::vector<SlurmJob> jobs;
  };
  std::map<std::string, Kept> kept_;  // by the number of the job or of its array
  struct SecondLook {
    std::int64_t asked_ns = 0;
    Shown told;
  };
  std::map<std::string, SecondLook> second_looks_;  // so, too
  std::int64_t asked_ns_ = 0;                       // when the last answer was asked for
  std::map<std::string, std::int64_t> missing_;     // by the number, since when
  std::map<std::string, std::int64_t> gone_;        // by the number, when that was found
};

}  // namespace trainmake
