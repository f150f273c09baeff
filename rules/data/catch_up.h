// Reads what the store says of a place into the ledger, having waited for whoever is sending there: what two
// send at once would be a mixture.
#pragma once

#include "engine/model/rule.h"
#include "rules/data/ledger.h"
#include "rules/data/place.h"

namespace trainmake {

inline constexpr std::size_t kFewKeys = 8;  // of which each is worth a question

// Asks for keys that were being sent or removed when the manifest object was written; what is on its way to a
// key, and not there, is left. What lies where one of ours was being removed, and is another, is somebody
// else's and no concern of the mirror. kWorthIt: small ones are sent again sooner than asked for, when there
// are many.
enum class AskFor : std::uint8_t { kWorthIt, kAll };
Result<void> ask_for_unsettled(const StorePlace& place, Mirror& mirror, AskFor which);

// Asks for these unsettled keys, which nobody sends to any more: what is known for ours becomes an object,
// and the others are nobody's concern.
Result<void> ask_for_leftovers(const StorePlace& place, Mirror& mirror, const std::vector<std::string>& keys);

// Whether who wrote it may still be at work, as far as it says so itself.
bool is_held(const StorePlace::Seen& seen);

// What was being sent or removed from here when that was stopped may arrive for some seconds yet, where
// something else is to be done to those keys. `mirror`: what is known to lie there. Without a listing: to
// any.
bool may_still_arrive(Host& host, const StorePlace& place, const Mirror& mirror, const Listing* listing,
                      const Ledger& ledger);
// Waits for it. Whether that took any time.
Result<bool> wait_for_last_arrivals(Host& host, const StorePlace& place, const Target& target,
                                    const Mirror& mirror, const Listing* listing, Ledger& ledger,
                                    const Doing& doing);

// Without a listing whatever is at work is waited for. The transfer that was taken over from, which hears of
// that as long as its lease is not forgotten; "" for none.
Result<std::string> catch_up(Host& host, const StorePlace& place, const Target& target,
                             const Listing* listing, Ledger& ledger, const Doing& doing);

}  // namespace trainmake
