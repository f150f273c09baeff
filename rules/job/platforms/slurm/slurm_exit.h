// How a job ended, as its script, a link of it or a client before wrote it down. Pure; knows nothing of what
// it means (slurm_state.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rules/job/platform.h"

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

}  // namespace trainmake
