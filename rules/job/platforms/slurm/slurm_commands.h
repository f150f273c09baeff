// Runs Slurm's commands, each for a while and in an environment in which they answer everybody alike. Knows
// no job. Thread rule: any thread.
#pragma once

#include <string>
#include <vector>

#include "engine/base/host.h"

namespace trainmake {

class SlurmCommands {
 public:
  explicit SlurmCommands(Host& host);

  // An error, which blames the remote, when it had to be given up; whatever it ended with is an answer.
  Result<ProcessResult> run(std::vector<std::string> arguments);

 private:
  Host& host_;
  std::map<std::string, std::string> environment_;
};

}  // namespace trainmake
