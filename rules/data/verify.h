// Compares what a store has with what its manifest object says of a target: one list, and a look at what the
// list cannot tell.
#pragma once

#include <string>
#include <vector>

#include "engine/model/rule.h"
#include "rules/data/ledger.h"
#include "rules/data/place.h"

namespace trainmake {

struct WrongObject {
  std::string key;   // of the target, or of its manifest object
  std::string what;  // "is not there", "has 3 bytes in place of 7", "has other bytes"
};

struct Verified {
  std::uint64_t objects = 0, bytes = 0;  // that should be there
  std::uint64_t looked_at = 0;           // of them
  std::uint64_t sending = 0;             // what others were at when it was read, and are perhaps still
  std::vector<WrongObject> wrong;        // sorted by key
  Mirror mirror;                         // that was verified, with what was learned of it
  std::string tag;                       // of its manifest object, if there is one
};

struct VerifyHow {
  double share = 1;   // below 1, only so many objects are looked at, chosen by chance, one by one
  bool heal = false;  // others who send there are waited for
};

// What it learned is kept in `ledger`, unless others are at work there: whoever sends has to wait for them.
Result<Verified> verify(Host& host, const StorePlace& place, const Target& target, Ledger& ledger,
                        const VerifyHow& how, const Doing& doing);

// What is wrong is sent again by the next run, which also says anew what lies there.
Result<void> plan_to_heal(Verified verified, Ledger& ledger);

}  // namespace trainmake
