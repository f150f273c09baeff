#include "rules/data/pulse.h"

#include <algorithm>

#include "engine/base/process_table.h"
#include "rules/data/lease.h"

namespace trainmake {

// Of another boot, or of a clock that tells nothing, all of it is waited for. So it is after a kill: it may
// have been stopped by then (SIGSTOP, a frozen container), and noted nothing for as long. Of what is told
// last long ago no service waits for the rest any more, and none works on it.
std::chrono::milliseconds left_of_last_arrivals(Host& host, const Ledger& ledger) {
  using std::chrono::milliseconds;
  constexpr milliseconds kWhole{kLastArrival_s * 1000}, kLongAgo{600'000};
  if (ledger.is_quiet()) return milliseconds(0);
  const std::optional<Beat> last = ledger.last_beat();
  const std::int64_t now_ns = host.clock.steady_ns();
  if (!last || last->steady_ns > now_ns || !is_this_boot(host.files, last->boot)) return kWhole;
  const milliseconds passed((now_ns - last->steady_ns) / 1'000'000);
  if (!last->is_last) return passed < kLongAgo ? kWhole : milliseconds(0);
  return std::max(kWhole - passed, milliseconds(0));
}

Result<void> note_its_end(Host& host, Ledger& ledger) {
  const std::optional<Beat> last = ledger.last_beat();
  const std::int64_t now_ns = host.clock.steady_ns();
  if (last && last->is_last && last->steady_ns <= now_ns && is_this_boot(host.files, last->boot)) return {};
  return note_its_boot(host, ledger);
}

Result<void> note_its_boot(Host& host, Ledger& ledger) {
  return ledger.beat({boot_of(host.files), host.clock.steady_ns(), true});
}

Result<std::unique_ptr<Pulse>> Pulse::begin(Host& host, Ledger& ledger) {
  std::unique_ptr<Pulse> pulse(new Pulse(host, ledger));
  TRY(pulse->note(false));
  pulse->beats_ = std::jthread([self = pulse.get()](const std::stop_token& end) {
    while (!self->clock_.wait(kPulse, end)) {
      if (!self->note(false)) self->lost_.request_stop();
    }
  });
  return pulse;
}

Pulse::Pulse(Host& host, Ledger& ledger) : clock_(host.clock), ledger_(ledger), boot_(boot_of(host.files)) {}

Pulse::~Pulse() {
  beats_ = {};
  (void)note(true);  // without it, what may arrive is waited for a little longer
}

Result<void> Pulse::note(bool is_last) { return ledger_.beat({boot_, clock_.steady_ns(), is_last}); }

}  // namespace trainmake
