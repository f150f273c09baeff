// A transfer's right to change a place: holds its lease, tells others in the manifest object what is there by
// now, and hears when somebody took over. Thread rule: any thread, but for begin and leave.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "engine/base/host.h"
#include "rules/data/lease.h"
#include "rules/data/ledger.h"
#include "rules/data/place.h"

namespace trainmake {

class Holding {
 public:
  // By both clocks: one stands still in a machine that sleeps, and the other may be set.
  struct Moment {
    std::int64_t steady_ns = 0, wall_ns = 0;
  };

  // Borrows all three.
  Holding(Clock& clock, const StorePlace& place, Ledger& ledger)
      : clock_(clock), place_(place), ledger_(ledger) {}

  Moment now() const { return {clock_.steady_ns(), clock_.now_ns()}; }
  // The manifest object says that we send; that was asked for then.
  void begin(const std::string& writer, const Moment& asked);

  // Puts the manifest object: what is there by now. False when somebody took over.
  Result<bool> tell(const std::stop_token& stop = {});
  // That this goes on.
  Result<bool> hold_on();
  // The manifest object leaves too much for others to ask for.
  bool owes_settling();
  // To be asked at the turn of each request: an error when somebody may have taken over.
  Result<void> may_write(bool is_repeated);
  // Nobody needs to wait for who is stopped, but for what he sent last. This is a courtesy: it takes some
  // seconds, or is left out.
  void leave();

  bool is_overtaken() const { return is_overtaken_; }
  std::int64_t since_told_ns() const;
  // It took so long that somebody may have taken over since it was announced.
  bool took_long() const;
  // Whether others were told that something is asked for twice; from now on nothing is.
  bool stop_repeating() { return repeats_.exchange(false); }
  // Whose lease there is; "" for none.
  std::string told_as() const { return lease_ && lease_->was_told() ? lease_->writer() : ""; }

  // While there is one, threads of its own tell now and then that this goes on, since one object may take
  // hours, and what is there. Where that cannot be told any more, `stop` is requested, before others take
  // over.
  class Keeper {
   public:
    Keeper(Holding& holding, const std::stop_token& outer);
    std::stop_source stop;  // of what is being done

   private:
    void hold(const std::stop_token& end);
    void tell(const std::stop_token& end);
    Result<bool> hold_on_in_time();

    Holding& holding_;
    std::stop_callback<std::function<void()>> on_outer_;
    std::jthread holds_, tells_;
  };

 private:
  Result<std::optional<std::string>> put(const std::stop_token& stop, Moment& asked);
  Result<bool> tell_lease(bool has_left, const std::stop_token& stop);
  void held_since(const Moment& asked);

  Clock& clock_;
  const StorePlace& place_;
  Ledger& ledger_;
  // One thread at a time writes the manifest object, one the lease, and one does so because that was long
  // ago. Taken in this order.
  std::mutex renewing_, telling_, leasing_;
  std::optional<Lease> lease_;
  std::atomic<bool> was_checked_ = false;  // when it was told first: the manifest object was ours still
  std::atomic<bool> is_overtaken_ = false;
  std::atomic<bool> repeats_ = false, told_repeats_ = false;
  mutable std::mutex mutex_;  // guards what follows
  Moment held_;               // when it was last told that we send
};

}  // namespace trainmake
