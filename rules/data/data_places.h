// Where the files of each data target lie, and what is known of it: stores and ledgers, each opened once.
// Thread rule: any thread, but a ledger is of one target, and whoever uses that.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cache/stores/pace.h"
#include "cache/stores/store.h"
#include "engine/model/rule.h"
#include "rules/data/ledger.h"
#include "rules/data/place.h"

namespace trainmake {

struct StoreServices {
  Host& host;
  const Workspace& workspace;
  const Space& space;
  const StoreRooms& rooms;
  Tally& tally;
};

// How a store is called in the identity of its places.
std::string service_of_places(const Service& service);

using SharedLedger = std::shared_ptr<Ledger>;

class DataPlaces {
 public:
  explicit DataPlaces(const StoreServices& services) : services_(services) {}

  // Nothing when its files are read where they lie.
  Result<std::optional<StorePlace>> place_of(const Target& target);
  // A store of TRAINSPACE.lua.
  Result<std::shared_ptr<Store>> store_named(const std::string& name);
  // What lies at a url of its own, with what is said of its bucket.
  Result<std::unique_ptr<Store>> store_at(const Service& service);
  Result<SharedLedger> ledger_of(const StorePlace& place);
  // Whoever asks for it again reads it again.
  void let_go_of_ledger(const StorePlace& place);
  // One of its own, as it was written down: the target may be sending right now.
  Ledger ledger_as_kept(const StorePlace& place) const;
  // Identities of the places that were last sent to from here.
  std::vector<std::string> latest_kept(std::size_t most) const;
  // What the newest snapshot of a place has; its mirror's root says which that is.
  Ledger latest_snapshot(const StorePlace& place) const;
  // What keeps the limits of all stores together.
  Result<Host*> host_of_requests();
  // Where a look costs nothing, nothing is believed that could be looked at.
  Result<void> look_again_if_free(const StorePlace& place, const Target& target, Ledger& ledger);

 private:
  Result<Host*> host_of_stores();                                // REQUIRES: mutex_ is held
  Result<std::shared_ptr<Store>> open(const std::string& name);  // REQUIRES: the same
  Result<void> check_mounted(const StorePlace& place, const Target& target, const Ledger& ledger) const;

  StoreServices services_;
  std::mutex mutex_;  // guards what follows
  std::optional<PacedHttp> paced_http_;
  std::optional<Host> host_of_stores_;                    // ours, but that all of them share its pace
  std::map<std::string, std::shared_ptr<Store>> stores_;  // by name
  std::map<std::string, SharedLedger> ledgers_;           // by place
};

}  // namespace trainmake
