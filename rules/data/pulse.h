// That a transfer of ours is at work, noted in the ledger every few seconds by a clock that nobody sets: who
// goes on after a cut knows from it when that was at the latest, and so what may still arrive. Asks the
// store nothing.
#pragma once

#include <chrono>
#include <stop_token>
#include <thread>

#include "engine/base/host.h"
#include "rules/data/ledger.h"

namespace trainmake {

inline constexpr std::chrono::milliseconds kPulse{2500};

// For how long yet something may arrive of what our last transfer sent before it was cut.
std::chrono::milliseconds left_of_last_arrivals(Host& host, const Ledger& ledger);

// That our last transfer is over by now, where it did not say so: from here on it is counted.
// REQUIRES: nobody is at work on that target here.
Result<void> note_its_end(Host& host, Ledger& ledger);

// In which boot a transfer of ours is at work, where nothing can arrive after its end.
Result<void> note_its_boot(Host& host, Ledger& ledger);

class Pulse {
 public:
  // Borrows both. The first note is made before this returns.
  static Result<std::unique_ptr<Pulse>> begin(Host& host, Ledger& ledger);
  // The last note: nothing is sent any more.
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  // Requested when it cannot be noted any more that we are at work: then we must not be.
  std::stop_token lost() const { return lost_.get_token(); }

 private:
  Pulse(Host& host, Ledger& ledger);
  Result<void> note(bool is_last);

  Clock& clock_;
  Ledger& ledger_;
  const std::string boot_;
  std::stop_source lost_;
  std::jthread beats_;
};

}  // namespace trainmake
