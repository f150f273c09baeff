// The process that stays with a job on this machine: it outlives the client, keeps the log, the time limit
// and the secrets, and writes down how the job ended. Started as `trainmake --supervise RUN_FOLDER`. Of any
// number started for one run, one runs the job, ever. Thread rule: takes the whole process.
#pragma once

#include <string>

namespace trainmake {

inline constexpr const char* kSuperviseFlag = "--supervise";

int supervise(const std::string& run_folder);

}  // namespace trainmake
