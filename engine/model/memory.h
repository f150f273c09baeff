// What the engine asks of memory. For real it is the state database (cache/); tests have an in-memory twin.
// Thread rule: one thread, the one that owns the run.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/record.h"

namespace trainmake {

// When a step was asked for and when it was begun, each told by the run that was remembered last: its id, ""
// is none.
struct Precedence {
  std::string asked;  // of all labels
  std::string begun;  // of the step's own
};

class Memory {
 public:
  virtual ~Memory() = default;
  // The result that the label has now.
  virtual Result<std::optional<Record>> last(const Label& label) = 0;
  // Without its manifest, which is large where there are many files.
  virtual Result<std::optional<Record>> last_in_brief(const Label& label) { return last(label); }
  // An earlier result with this very fingerprint.
  virtual Result<std::optional<Record>> find(const Label& label, const Fingerprint& fingerprint) = 0;
  // The newest of all its results whose manifest fits.
  virtual Result<std::optional<Record>> newest(const Label& label,
                                               const std::function<bool(const Manifest&)>& fits) = 0;
  // Makes `record` the label's result. Atomic: either all of it is remembered or nothing. Survives the end of
  // the process; a power cut may lose the latest ones, which costs doing their steps again.
  virtual Result<void> remember(const Record& record) = 0;
  // The run that was remembered last, of whatever fingerprint: its id, "" is none.
  virtual Result<std::string> newest_run() { return std::string(); }
  virtual Result<std::string> newest_run(const Label& label) {
    (void)label;
    return std::string();
  }
  // As remember. When the label's result is one by now that was asked for later, or at the same time and
  // begun later, it stays.
  virtual Result<void> remember_in_turn(const Record& record, const Precedence& turn) {
    (void)turn;
    return remember(record);
  }
  // Changes with every write that anybody makes, of a run too: what was concluded under one generation holds
  // while it lasts.
  virtual Result<std::uint64_t> generation() = 0;
};

class Runs {
 public:
  virtual ~Runs() = default;
  // Durable before it returns. Replaces the run of the same id; its curves only when there are others.
  virtual Result<void> put(const Run& run) = 0;
  virtual Result<std::optional<Run>> get(std::string_view id) = 0;
  // The label's own of one fingerprint, the newest first: one that repeats a run is none of them.
  virtual Result<std::vector<Run>> of(const Label& label, const Fingerprint& fingerprint) = 0;
  // Its own of all fingerprints, the newest first.
  virtual Result<std::vector<Run>> of(const Label& label) = 0;
  // The first that no run has, be it one of its own or not.
  virtual Result<int> next_attempt(const Label& label, const Fingerprint& fingerprint) = 0;
  // All, the newest first.
  virtual Result<std::vector<Run>> all() = 0;
  // Those that are not over, the newest first. Costs nothing that grows with the history.
  virtual Result<std::vector<Run>> in_flight() = 0;
  virtual Result<std::vector<Run>> in_flight(const Label& label) = 0;
  virtual Result<Curves> curves(std::string_view id) = 0;
};

}  // namespace trainmake
