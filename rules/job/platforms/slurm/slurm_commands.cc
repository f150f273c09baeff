#include "rules/job/platforms/slurm/slurm_commands.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// A person's own settings would change what is asked and how it is answered; those of a job that we may run
// in are not those of the next.
std::map<std::string, std::string> environment_for_slurm(const Environment& environment) {
  constexpr std::array<std::string_view, 7> kSettings = {"SLURM_", "SBATCH_", "SQUEUE_", "SCANCEL_",
                                                         "SACCT_", "SALLOC_", "SINFO_"};
  std::map<std::string, std::string> variables;
  for (const auto& [name, value] : environment.variables) {
    bool is_setting = false;
    for (const std::string_view prefix : kSettings) is_setting = is_setting || name.starts_with(prefix);
    if (!is_setting || name == "SLURM_CONF" || name == "SLURM_CONF_SERVER") variables[name] = value;
  }
  variables["LC_ALL"] = "C";
  return variables;
}

// sbatch passes on what it has, so it has what it needs itself alone, and no secret among it.
std::map<std::string, std::string> environment_for_sbatch(
    const std::map<std::string, std::string>& environment) {
  constexpr std::array<std::string_view, 8> kNeeded = {
      "PATH", "HOME", "USER", "LOGNAME", "LC_ALL", "SLURM_CONF", "SLURM_CONF_SERVER", "LD_LIBRARY_PATH"};
  std::map<std::string, std::string> variables;
  for (const auto& [name, value] : environment) {
    if (std::find(kNeeded.begin(), kNeeded.end(), name) != kNeeded.end()) variables[name] = value;
  }
  return variables;
}

}  // namespace

SlurmCommands::SlurmCommands(Host& host)
    : host_(host), environment_(environment_for_slurm(host.environment)) {}

Result<ProcessResult> SlurmCommands::run(std::vector<std::string> arguments, const SlurmPatience& patience) {
  if (patience.stop.stop_requested()) return fail(interrupted_error());
  constexpr std::chrono::seconds kSilence{3};
  std::stop_source stop;
  const std::string name = arguments.front();
  const bool is_sbatch = name == "sbatch";
  std::map<std::string, std::string> environment =
      is_sbatch ? environment_for_sbatch(environment_) : environment_;
  if (!is_sbatch) {
    environment["SLURM_TIME_FORMAT"] = "%s";  // in seconds since 1970
    environment["SLURM_BITSTR_LEN"] = "0";    // elements of an array are named all, however many
  }
  auto answer = [&] {
    const std::stop_callback on_stop(patience.stop, [&] { stop.request_stop(); });
    const std::jthread timer([&](const std::stop_token& answered) {
      const auto silence = std::min(kSilence, patience.most);
      if (host_.clock.wait(silence, answered)) return;
      if (patience.on_silence)
        patience.on_silence(
            cat("Slurm has not answered ", quoted(name), " yet; `scontrol ping` tells whether it is well"));
      if (!host_.clock.wait(patience.most - silence, answered)) stop.request_stop();
    });
    return host_.processes.run({std::move(arguments), std::move(environment), ""}, stop.get_token());
  }();
  if (patience.stop.stop_requested()) return fail(interrupted_error());
  if (!stop.stop_requested()) return answer;
  return fail(user_error(cat(quoted(name), " did not answer in ", patience.most.count(), " s"),
                         "Is slurmctld well? `scontrol ping` tells")
                  .because(Blame::kRemote));
}

}  // namespace trainmake
