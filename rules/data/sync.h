// Brings the place of a target in a store to what its files are, among others who send there and jobs that
// read there: what differs is looked up, announced and sent, again and again, until nobody came in between.
// Thread rule: any thread; one target at a time in each place.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "cache/listing.h"
#include "engine/model/rule.h"
#include "rules/data/data_places.h"
#include "rules/data/elsewhere.h"
#include "rules/data/mirror.h"
#include "rules/data/place.h"
#include "rules/data/services.h"
#include "rules/data/transfer.h"

namespace trainmake {

class Sync {
 public:
  // Borrows both.
  Sync(const DataServices& services, DataPlaces& places) : services_(services), places_(places) {}

  // What there is to do as far as is known without asking. The place is that of the target's, of any content.
  Result<Work> plan(const Subject& subject, const StorePlace& place, const SharedListing& listing,
                    const std::string& root);
  // Does it.
  Result<Moved> run(const Subject& subject, const StorePlace& place, const Listing& listing,
                    const std::string& root, const Doing& doing);
  // Whether the place of the target has what `root` is, as far as can be told without asking; a machine that
  // knows nothing asks once, and whoever would take a snapshot of before again does.
  Result<bool> holds(const StorePlace& base, const Target& target, const std::string& root, bool current,
                     Looks& looks);
  // The same, sure enough for a job to be submitted that reads it there: a mark of what lies there, or an
  // error when that is something else. "" where it is in no store. What lies among `files`, which are all
  // that it has, is told: a job reads that, too.
  Result<std::string> check(const Target& target, const std::string& root, const Doing& doing,
                            const Listing* files);

 private:
  Result<Moved> make_so(const Subject& subject, const StorePlace& base, const Listing& listing,
                        const std::string& root, const Doing& doing, std::set<std::string>& leases);
  Result<void> check_folder(const std::vector<std::string>& make_way, const std::string& key,
                            const StorePlace& place, const Target& target);
  Result<void> check_way(const MirrorChange& changed, const StorePlace& place, const Target& target);
  static Error left_in_the_way(const MirrorChange& changed, const StorePlace& place, const Target& target);
  void tell_what_is_there(const MirrorChange& changed, const Mirror& there, bool knows_the_place,
                          const StorePlace& place, const Target& target, const Doing& doing);
  Result<bool> is_taken_away(const StorePlace& place, const Mirror& mirror);
  Result<void> check_removals(const MirrorChange& changed, const StorePlace& place, const Target& target);
  Result<void> wait_for_readers(const StorePlace& place, const Target& target, const Doing& doing);
  Result<bool> announce(Transfer& transfer, const StorePlace& place, const Target& target,
                        const Listing& listing, const MirrorChange& changed, const Ledger& ledger,
                        const Doing& doing);
  Result<std::string> not_as_sent(const StorePlace& place, const Ledger& ledger, const Target& target,
                                  const Listing* files, const Doing& doing);

  const DataServices& services_;
  DataPlaces& places_;
  PlaceClaims claims_;
  Borrowings borrowings_;
  std::mutex announcing_;  // one target at a time looks at neighbours and tells of itself
  std::mutex comparing_;   // guards what follows
  struct Compared {
    std::string tag;  // of the manifest object
    std::int64_t at_ns = 0;
    bool others_were_told = false;
  };
  std::map<std::string, Compared> compared_;  // places that were found as they were sent
};

}  // namespace trainmake
