// The processes of this machine, as /proc tells of them. Read through the file system, so that a test can lay
// out any table. Knows nothing of jobs; ends nothing (Processes::send does).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_system.h"

namespace trainmake {

// One that lives. Its number may be another's later; number and birth together are nobody else's until the
// machine is started again.
struct Process {
  int number = 0;
  int parent = 0;
  int session = 0;          // the number of the process that leads it, or did
  std::uint64_t birth = 0;  // ticks since the machine was started

  bool is(const Process& other) const { return number == other.number && birth == other.birth; }
  friend bool operator==(const Process&, const Process&) = default;
};

// `/proc/N/stat`. An empty optional for one that is over and only waits to be reaped.
std::optional<Process> parse_process(std::string_view stat);
std::optional<Process> find_process(FileSystem& files, int number);
Result<std::vector<Process>> living_processes(FileSystem& files);

// What it was started with, `NAME=value` each; it may have been overwritten since. An empty optional where it
// may not be read.
std::optional<std::vector<std::string>> environment_of(FileSystem& files, const Process& process);

// Within it a number and a birth are one process's: another each time that the machine is started, and in
// each container that counts its own processes. One word; "" where it cannot be told.
std::string boot_of(FileSystem& files);
// Whether `boot`, written down earlier, is that of now. False of "". One without a container is of any.
bool is_this_boot(FileSystem& files, std::string_view boot);

// With those among `processes` that descend from one of `members`; without `members` that are not in it.
std::vector<Process> with_descendants(const std::vector<Process>& processes, std::vector<Process> members);

// What descends from this process.
Result<std::vector<Process>> descendants_of_this_process(FileSystem& files);

}  // namespace trainmake
