// Data that lies in a store already and is not ours: `url = "s3://bucket/prefix"`. Nothing is ever written
// there. What it is, its list tells, a tag for each object; `digest` pins that, and then nobody is asked. The
// list as it was last read is kept in the cache folder. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "cache/stores/store.h"
#include "engine/base/lock_table.h"
#include "engine/model/rule.h"
#include "rules/data/arriving.h"
#include "rules/data/data_places.h"

namespace trainmake {

inline constexpr std::string_view kListedFolder = "listed";

struct ExternalObject {
  std::string key;
  std::uint64_t size = 0;
  std::string tag;
  std::optional<Sha256> here;  // its bytes as a blob, where somebody needed them
};
using ExternalList = std::vector<ExternalObject>;  // sorted by key
using SharedExternalList = std::shared_ptr<const ExternalList>;

// What `digest` has to be for that list: of keys, sizes and tags.
std::string digest_of_list(const ExternalList& list);
// What lies in a store now, but for keys of folders, as some tools make them, and what a trainmake keeps
// there for itself. What the store names twice alike is there once.
Result<ExternalList> listed_in(Store& store);
// As files of a job. Those whose bytes are not here have no digest of them.
Listing listing_of(const ExternalList& list, const std::string& dest);

bool is_external(const Target& target);
std::vector<Error> wrong_url(const Value& url);
std::vector<Error> wrong_digest(const Value& digest);
// The folder of `url = "dir:..."`, absolute: whose files are read where they lie. Nothing of another store.
std::optional<std::string> external_folder(const Workspace& workspace, const Target& target);
bool lies_in_store(const Workspace& workspace, const Target& target);  // is of another store
// An external one says nothing of what is only ours to say, and another nothing of a url.
Result<void> check_external(const Target& target);

class ExternalData {
 public:
  // Borrows all.
  ExternalData(const StoreServices& services, DataPlaces& places, Blobs& blobs)
      : services_(services),
        data_places_(places),
        blobs_(blobs),
        arriving_(path_join(services.workspace.cache, kArrivingLocks)) {}

  // As it was when it was last asked for; nothing when it never was.
  Result<SharedExternalList> known(const Target& target);
  // Asks the store, one request for a thousand objects. What has the same `url` is the same list.
  Result<SharedExternalList> look_again(const Target& target);
  // The list that `digest` pins: the known one, or the store is asked for it.
  Result<SharedExternalList> pinned(const Target& target);
  // Gets the bytes that are not here yet; afresh, all of them, once in a run.
  Result<SharedExternalList> bring_here(const Target& target, const SharedExternalList& list,
                                        const Doing& doing);
  Result<bool> is_here(const ExternalList& list);
  // Reads the bytes that are here. What is not sound is removed, and comes again when it is needed.
  struct Kept {
    std::uint64_t objects = 0;
    std::vector<std::string> damaged;  // keys
  };
  Result<Kept> check_kept(const ExternalList& list, const std::stop_token& stop);

 private:
  struct Place {
    std::shared_ptr<Store> store;
    std::string path;          // of the list that is kept
    std::mutex alone;          // held by who lists or reads it; guards what follows
    bool came_afresh = false;  // in this run
  };
  Result<Place*> place_of(const Target& target);
  Result<SharedExternalList> ask(const Target& target, Place& place);  // REQUIRES: place.alone is held
  Result<SharedExternalList> keep(const Place& place, ExternalList list);
  std::string arriving_path(const Place& place, const ExternalObject& object) const;
  Result<ExternalObject> get(const Place& place, const Target& target, ExternalObject object,
                             const Doing& doing, const std::function<void(std::uint64_t)>& came);

  StoreServices services_;
  DataPlaces& data_places_;
  Blobs& blobs_;
  LockTable arriving_;
  std::mutex mutex_;                                 // guards what follows
  std::map<std::string, Place> places_;              // by url; each stays where it is
  std::map<std::string, SharedExternalList> lists_;  // by path
};

}  // namespace trainmake
