// Compares what a store has with what its manifest object says of a target: one list, and a look at what the
// list cannot tell.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "engine/model/rule.h"
#include "rules/data/ledger.h"
#include "rules/data/place.h"

namespace trainmake {

struct WrongObject {
  std::string key;   // of the target
  std::string what;  // "is not there", "has 3 bytes in place of 7", "has other bytes"
};

struct Verified {
  std::uint64_t objects = 0, bytes = 0;  // that should be there
  std::uint64_t looked_at = 0;           // of them
  std::vector<WrongObject> wrong;        // sorted by key
};

// Leaves in `ledger` what the manifest object says by now. With a `share` below 1 only so many objects are
// looked at, chosen by chance, one by one.
Result<Verified> verify(const StorePlace& place, const Target& target, Ledger& ledger, double share,
                        const std::stop_token& stop);

// What is wrong is sent again by the next run.
Result<void> plan_to_heal(const Verified& verified, Ledger& ledger);

}  // namespace trainmake
