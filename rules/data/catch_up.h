// Reads what the store says of a place into the ledger, having waited for whoever is sending there: what two
// send at once would be a mixture.
#pragma once

#include "engine/model/rule.h"
#include "rules/data/ledger.h"
#include "rules/data/place.h"

namespace trainmake {

// Whoever sends tells of it at least three times in that time; one who has not is taken for gone.
inline constexpr std::int64_t kLease_s = 60;

Result<void> catch_up(Host& host, const StorePlace& place, const Target& target, const Listing& listing,
                      Ledger& ledger, const Doing& doing);

}  // namespace trainmake
