// Runs Slurm's commands, each for a while and in an environment in which they answer everybody alike. Knows
// no job. Thread rule: any thread.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/host.h"

namespace trainmake {

// Longer than a busy slurmctld takes, which is asked again by the commands themselves.
inline constexpr std::chrono::seconds kSlurmPatience{60};

struct SlurmPatience {
  std::chrono::seconds most = kSlurmPatience;
  std::stop_token stop = {};                              // who asks does not wait any longer
  std::function<void(std::string)> on_silence = nullptr;  // told, once, that there is no answer yet
};

class SlurmCommands {
 public:
  explicit SlurmCommands(Host& host);

  // An error, which blames the remote, when it had to be given up, or an interruption; whatever it ended with
  // is an answer.
  Result<ProcessResult> run(std::vector<std::string> arguments, const SlurmPatience& patience = {});

 private:
  Host& host_;
  std::map<std::string, std::string> environment_;
};

}  // namespace trainmake
