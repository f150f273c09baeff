// What `data` means: files where jobs will read them. In place without a store; with one, a mirror of which
// only what differs travels. Knows nothing of jobs.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cache/blobs.h"
#include "cache/file_set.h"
#include "cache/stores/store.h"
#include "engine/model/rule.h"

namespace trainmake {

struct DataServices {
  Host& host;
  const Workspace& workspace;
  const Space& space;
  const StoreRooms& store_rooms;
  Blobs& blobs;
  FileSets& file_sets;
  Tally& tally;
};

const Schema& data_schema();

class DataRule final : public Rule {
 public:
  explicit DataRule(const DataServices& services);

  const Schema& schema() const override { return data_schema(); }
  Pool pool() const override { return Pool::kNetwork; }
  Result<Description> describe(const Subject& subject) override;
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;

 private:
  struct Place;  // a store and the keys of one target in it
  class Transfer;
  std::string store_name(const Target& target) const;
  Result<std::optional<Place>> place_of(const Target& target);

  Result<Done> send(const Subject& subject, const Description& description, const Doing& doing);
  Result<void> claim(const Place& place, const Target& target, std::shared_ptr<const Listing> listing);
  Result<std::optional<FileLock>> hold(const Place& place, const Target& target, const Doing& doing) const;
  Result<void> check_neighbours(const Place& place, const Target& target, const Listing& listing) const;

  DataServices services_;
  struct Owner {
    Label label;
    std::shared_ptr<const Listing> listing;
  };
  std::mutex mutex_;
  std::map<std::string, Owner> owners_;  // of places in stores, by store and prefix
};

}  // namespace trainmake
