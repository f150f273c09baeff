// A run's folder on this machine, `runs/<id>` below the cache: where its parts lie, and the texts that client
// and supervisor leave each other in it. Pure: names, render, parse. The protocol is told in README.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/child.h"
#include "engine/base/resource_limits.h"
#include "rules/job/container_order.h"
#include "rules/job/contract.h"
#include "rules/job/distribution.h"
#include "rules/job/platform.h"
#include "rules/job/platforms/local/gpus.h"

namespace trainmake {

// Variables of every job.
inline constexpr const char* kRunVariable = "TRAINMAKE_RUN";
inline constexpr const char* kOutputFolder = "TRAINMAKE_OUTPUT_DIR";

struct RunFolder {
  std::string top;

  std::string code() const { return top + "/code"; }
  std::string data() const { return top + "/data"; }
  std::string output() const { return top + "/output"; }
  std::string checkpoint() const {
    return top + "/checkpoint";
  }  // of a run that succeeded; till then it is shared by attempts
  std::string log_folder() const { return top + "/log"; }
  std::string home() const { return top + "/home"; }
  std::string params() const { return top + "/params.json"; }
  std::string read_only() const { return top + "/ro"; }
  std::string scratch() const { return top + "/scratch"; }  // of its container
  // Below it lie the folders that the contract names, as links to those above.
  std::string places() const { return top + "/places"; }
  std::string log() const { return top + "/log.txt"; }
  std::string order() const {
    return top + "/order";
  }                                                   // what the supervisor runs; there when all is prepared
  std::string lock() const { return top + "/lock"; }  // held by the supervisor while it lives
  std::string started() const {
    return top + "/started";
  }  // made once, by whoever starts (or cancels) the run
  std::string waiting() const { return top + "/waiting"; }  // why it does not begin yet, while that is so
  std::string begun() const { return top + "/begun"; }      // when it had waited: since when it runs
  // What keeps the supervisor from writing, while something does; becomes the end. Its room is taken before.
  std::string reserve() const { return top + "/reserve"; }
  std::string resumed() const { return top + "/resumed"; }  // the files that the checkpoint began with
  std::string exit() const { return top + "/exit.json"; }   // the end
  std::string settled() const { return top + "/settled"; }  // the end is remembered elsewhere
};

// What the supervisor needs to know; no secret's value.
struct Order {
  RenderedJob job;  // the only process, or the first one
  std::vector<ReadOnlyFolder> read_only;
  std::vector<std::string> secrets;
  std::int64_t timeout_s = 0;
  std::optional<ContainerOrder> container = {};  // paths of `job` are those in it
  std::optional<GpuRequest> gpus = {};           // it begins when it has them
  ResourceLimits limits = {};
  // Of several processes: how they are told of each other, and each as far as that is known before.
  std::optional<Distribution> distribution = {};
  std::vector<RenderedJob> tasks = {};  // by rank
  std::vector<SeenFolder> seen = {};    // of a process: its checkpoint folder, where all runs see theirs
};
std::string render(const Order& order);
std::optional<Order> parse_order(std::string_view bytes);
// The folder of this machine that a variable of the job names; "" when it names none.
std::string folder_named(const Order& order, const std::string& variable);
// Where its checkpoint folder lies on this machine; "" when the order does not say.
std::string checkpoint_of(const Order& order);
// What the process that is started has in its environment and nobody else's has: an id alone may be that of a
// run in a copy of the workspace. Empty when the order lacks it.
std::map<std::string, std::string> marks_of(const Order& order);

// The same, of a run whose order is gone with its folder.
std::map<std::string, std::string> marks_of(const RunFolder& run);
// A variable of the supervisor, and with it of process 1 of a container: whose run folder it is at.
inline constexpr const char* kSupervised = "TRAINMAKE_SUPERVISED";

// Who started the run, and when.
struct Start {
  int supervisor = 0;  // its process; 0: it was cancelled, or given up, before
  std::int64_t when_ns = 0;
  // When the supervisor leads a session, which is then the job's, its birth and the boot that this counts
  // from: they tell that session from a later one of the same number. 0: it leads none, or it is not known.
  std::uint64_t birth = 0;
  std::string boot;
  std::uint64_t folder = 0;  // the run folder's inode, which a move keeps and a copy has not; 0: not known
  friend bool operator==(const Start&, const Start&) = default;
};
std::string render(const Start& start);
std::optional<Start> parse_start(std::string_view text);

struct Exit {
  ChildEnd end;
  std::string task;                           // of several processes, whose end it is
  std::int64_t started_ns = 0, ended_ns = 0;  // the first is 0 of one that never was
  bool cancelled = false;
  std::int64_t timed_out_s = 0;     // not 0: it took longer than this
  std::uint64_t out_of_memory = 0;  // not 0: it was ended because it needed more bytes
  std::string error;                // why it could not be run at all
  std::uint64_t log_lost = 0;       // bytes that were printed and could not be written
};
std::string render(const Exit& exit);
std::optional<Exit> parse_exit(std::string_view text);
JobStatus status_of(const Exit& exit);
// "exit code 3", "killed by signal 9"
std::string how_it_ended(const ChildEnd& end);

// The environment variable by which a secret reaches the supervisor.
std::string variable_of_secret(std::string_view name);

}  // namespace trainmake
