// What happened, as it happens: the only output of a run. Reporters, --json and the trace consume the same
// stream.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/label.h"
#include "engine/model/manifest.h"

namespace trainmake {

enum class Method : std::uint8_t { kPut, kGet, kHead, kList, kPost, kDelete, kPatch };
inline constexpr std::array<std::string_view, 7> kMethods = {"put",  "get",    "head", "list",
                                                             "post", "delete", "patch"};

// What a run cost. Counted from any thread.
struct Tally {
  std::atomic<std::uint64_t> uploaded_objects{0}, uploaded_bytes{0}, deleted_objects{0};
  std::atomic<std::uint64_t> pushed_manifests{0}, pushed_layers{0}, pushed_bytes{0};
  std::atomic<std::uint64_t> submitted{0}, reused_jobs{0};
  std::array<std::atomic<std::uint64_t>, 7> requests{};
  std::atomic<std::uint64_t> hashed_files{0}, hashed_bytes{0}, stats_files{0};
};

enum class Outcome : std::uint8_t { kRan, kUpToDate, kReused, kFailed, kSkipped, kDetached };
inline constexpr std::array<std::string_view, 6> kOutcomes = {"ran",    "up_to_date", "reused",
                                                              "failed", "skipped",    "detached"};

struct StepStarted {
  Label label;
  std::vector<Reason> reasons;
};
struct StepEnded {
  Label label;
  Outcome outcome = Outcome::kRan;
  std::string note;  // "1 layer, 2.0 KiB"; may be empty
  std::int64_t duration_ms = 0;
};
struct LogLine {
  Label label;
  std::string line;
};
struct Progress {
  Label label;
  std::string what;                   // "hashing", "uploading"
  std::uint64_t done = 0, total = 0;  // total 0: not known
  bool bytes = false;                 // the unit; else things
};
struct Message {  // something a person should know that is no error
  Label label;    // kind "" when it is of no target
  std::string text;
};
struct Problem {
  Error error;
  Label label;  // kind "" when it is of no target
};
struct Attached {  // to a run that somebody else began
  Label label;
  std::string run;
  std::string text;  // that it was, as a person is told
};

using Event = std::variant<StepStarted, StepEnded, LogLine, Progress, Message, Problem, Attached>;
using EventSink = std::function<void(const Event&)>;

// The end of a run: every target in exactly one list.
struct Summary {
  std::array<std::vector<Label>, 6> steps;  // by Outcome, each sorted
  std::int64_t duration_ms = 0;             // of the whole command
  int exit_code = 0;

  std::vector<Label>& of(Outcome outcome) { return steps[static_cast<std::size_t>(outcome)]; }
  const std::vector<Label>& of(Outcome outcome) const { return steps[static_cast<std::size_t>(outcome)]; }
};

}  // namespace trainmake
