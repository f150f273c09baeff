// Reads what the store says of a place into the ledger, having waited for whoever is sending there: what two
// send at once would be a mixture.
#pragma once

#include "engine/model/rule.h"
#include "rules/data/ledger.h"
#include "rules/data/place.h"

namespace trainmake {

// Whoever sends tells of it at least three times in that time; one who has not is taken for gone.
inline constexpr std::int64_t kLease_s = 60;

inline constexpr std::size_t kFewKeys = 8;  // of which each is worth a question

// Asks for keys that were being sent or removed when the manifest object was written; what cannot be told is
// left. An object where one of ours was being removed, and that is another, is somebody else's and no concern
// of the mirror. kWorthIt: small ones are sent again sooner than asked for, when there are many.
enum class AskFor : std::uint8_t { kWorthIt, kAll };
Result<void> ask_for_unsettled(const StorePlace& place, Mirror& mirror, AskFor which);

Result<void> catch_up(Host& host, const StorePlace& place, const Target& target, const Listing& listing,
                      Ledger& ledger, const Doing& doing);

}  // namespace trainmake
