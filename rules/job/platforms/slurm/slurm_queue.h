// What Slurm knows of the jobs that are asked about: one call for all of them, not oftener than once a
// second, and less often while it fails. Knows no folder. Thread rule: any thread; who asks while another
// one's call is under way waits for that.
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

  // Asked as often as anybody likes. An empty optional: this name was in no call yet, and will be in the
  // next.
  Result<std::optional<std::vector<SlurmJob>>> named(const std::string& name);
  // What was answered of it is of before.
  void forget(const std::string& name);
  // As it is now, whatever was answered before.
  Result<std::vector<SlurmJob>> named_now(const std::string& name);
  // What accounting, where there is any, keeps of a job that slurmctld forgot.
  Result<std::vector<SlurmJob>> kept(const std::string& number);

 private:
  Result<void> ask();

  SlurmCommands& commands_;
  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::int64_t> wanted_;  // by whom anybody asked for, and when
  std::set<std::string> asked_;                 // those that the last answer is about
  std::map<std::string, std::vector<SlurmJob>> answer_;
  std::int64_t next_ns_ = 0;  // not asked again before
  int failures_ = 0;
  std::optional<Error> error_;
  bool has_accounting_ = true;
};

}  // namespace trainmake
