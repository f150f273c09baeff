// The processes that a job leaves: those of a run whose supervisor was killed, and what a job that ended goes
// on with. How they are told from everybody else's is in README.md; one that may be another's is let be.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "rules/job/platforms/local/run_folder.h"

namespace trainmake {

// A process of this machine, and whose its environment says it is.
struct Witness {
  enum class Says : std::uint8_t { kOurs, kNothing, kAnothers };
  Process process;
  Says says = Says::kNothing;
};

// Those of the run that `start` tells of; `same_boot`: it was written since the machine was started. Pure.
std::vector<Process> members_of(const std::vector<Witness>& witnesses, const Start& start, bool same_boot);

// This process as the one that starts a run.
Result<Start> start_of_this_process(FileSystem& files, const RunFolder& run, std::int64_t now_ns);

// What lives of a run. REQUIRES: its supervisor is gone. Never this process, and nothing when the folder is a
// copy: what its words tell of is another's.
Result<std::vector<Process>> leftovers_of(FileSystem& files, const RunFolder& run, const Start& start);

// What lives of a run whose folder was removed meanwhile, its supervisor, too: all that tells of it are the
// environments of its processes.
Result<std::vector<Process>> homeless_of(FileSystem& files, const RunFolder& run);

using FindProcesses = std::function<Result<std::vector<Process>>()>;
// Ends what is found, until nothing is: asks each once, and a little later does not ask. An error names what
// still lives, once that is only what may not be sent a signal, or nothing helps.
Result<void> end_all(const FindProcesses& find, Processes& processes, Clock& clock);

}  // namespace trainmake
