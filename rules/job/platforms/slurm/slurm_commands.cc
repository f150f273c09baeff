#include "rules/job/platforms/slurm/slurm_commands.h"

#include <array>
#include <chrono>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// Longer than a busy slurmctld takes, which is asked again by the commands themselves.
constexpr std::chrono::seconds kPatience{60};

// A person's own settings would change what is asked and how it is answered; those of a job that we may run
// in are not those of the next.
std::map<std::string, std::string> environment_for_slurm(const Environment& environment) {
  constexpr std::array<std::string_view, 6> kSettings = {"SLURM_",   "SBATCH_", "SQUEUE_",
                                                         "SCANCEL_", "SACCT_",  "SALLOC_"};
  std::map<std::string, std::string> variables;
  for (const auto& [name, value] : environment.variables) {
    bool is_setting = false;
    for (const std::string_view prefix : kSettings) is_setting = is_setting || name.starts_with(prefix);
    if (!is_setting || name == "SLURM_CONF" || name == "SLURM_CONF_SERVER") variables[name] = value;
  }
  variables["LC_ALL"] = "C";
  return variables;
}

}  // namespace

SlurmCommands::SlurmCommands(Host& host)
    : host_(host), environment_(environment_for_slurm(host.environment)) {}

Result<ProcessResult> SlurmCommands::run(std::vector<std::string> arguments) {
  std::stop_source stop;
  const std::string name = arguments.front();
  std::map<std::string, std::string> environment = environment_;
  // Times in seconds since 1970; a job would be given it, too.
  if (name != "sbatch") environment["SLURM_TIME_FORMAT"] = "%s";
  auto answer = [&] {
    const std::jthread timer([&](const std::stop_token& answered) {
      if (!host_.clock.wait(kPatience, answered)) stop.request_stop();
    });
    return host_.processes.run({std::move(arguments), std::move(environment), ""}, stop.get_token());
  }();
  if (!stop.stop_requested()) return answer;
  return fail(user_error(cat(quoted(name), " did not answer in ", kPatience.count(), " s"),
                         "Is slurmctld well? `scontrol ping` tells")
                  .because(Blame::kRemote));
}

}  // namespace trainmake
