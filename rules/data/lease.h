// Who sends to a place holds a lease of it, which is over when nothing was heard for a minute. That it goes
// on stands in an object of its own, one of each transfer: that is small where the manifest object may be
// large, and is there only of transfers that take longer. Who takes over puts that object first, and so
// whoever held the lease hears of it before he changes anything more.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

#include "engine/base/error.h"

namespace trainmake {

struct StorePlace;

// Whoever sends tells of it at least three times in that time; one who has not is taken for gone.
inline constexpr std::int64_t kLease_s = 60;

// What a transfer that was stopped sent last may still arrive for so long after it said that it left.
inline constexpr std::int64_t kLastArrival_s = 10;

// A name for one transfer, of all that there ever were.
std::string new_writer();

// What a transfer told, as others see it.
struct LeaseSeen {
  std::string tag;                    // "" when it told nothing but the manifest object
  std::optional<std::int64_t> age_s;  // since then, by the store's own clock
  bool has_left = false;              // it was stopped, and begins nothing any more
};
Result<LeaseSeen> read_lease(const StorePlace& place, const std::string& writer);
// Takes the lease of one who was not heard of; false when he was, after that was seen.
Result<bool> take_lease(const StorePlace& place, const std::string& writer, const LeaseSeen& seen);
// Removes what these transfers told, when that is of no use any more; "" is none.
void forget_leases(const StorePlace& place, const std::set<std::string>& writers);

// Of one transfer, by itself. Thread rule: one thread at a time.
class Lease {
 public:
  // Borrows the place.
  Lease(const StorePlace& place, std::string writer) : place_(place), writer_(std::move(writer)) {}

  const std::string& writer() const { return writer_; }
  bool was_told() const { return !tag_.empty(); }
  // That it goes on, or has left. False when somebody took over, and nothing may be changed any more.
  Result<bool> tell(bool has_left, const std::stop_token& stop);

 private:
  const StorePlace& place_;
  std::string writer_, tag_;
  std::uint64_t told_ = 0;
};

}  // namespace trainmake
