// What `data` means: files where jobs will read them. In place without a store; with one, a mirror of which
// only what differs travels. Knows nothing of jobs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "cache/blobs.h"
#include "cache/file_set.h"
#include "cache/stores/store.h"
#include "engine/model/record.h"
#include "engine/model/rule.h"
#include "rules/data/data_places.h"
#include "rules/data/elsewhere.h"
#include "rules/data/external.h"
#include "rules/data/fetch.h"
#include "rules/data/transfer.h"

namespace trainmake {

struct DataServices {
  Host& host;
  const Workspace& workspace;
  const Space& space;
  const StoreRooms& store_rooms;
  Blobs& blobs;
  FileSets& file_sets;
  Tally& tally;
  bool jobs_read_stores = false;  // what lies in a store already need not come here for them
  bool may_prune = false;         // even where nothing was sent from here before
  // A run in flight whose job reads what lies at that address in a store.
  std::function<Result<std::optional<Run>>(const std::string& store, const Doing& doing)> reader_of = nullptr;
};

const Schema& data_schema();

class DataRule final : public Rule {
 public:
  explicit DataRule(const DataServices& services);

  const Schema& schema() const override { return data_schema(); }
  Pool pool() const override { return Pool::kNetwork; }
  std::vector<std::pair<Error, Label>> settle(const Graph& graph, const EventSink& events) override;
  Result<Description> describe(const Subject& subject) override;
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;
  // Before a job is submitted that reads it in its store: whether it lies there as it was sent.
  Result<void> check_stored(const Target& target, const std::string& root);

 private:
  using SharedListing = std::shared_ptr<const Listing>;
  struct Gathered {
    FileSet set;
    std::vector<FetchedFile> fetches;
    bool is_whole = true;  // false: one of them was not fetched yet
  };
  Result<Gathered> gather(const Target& target);
  Result<Description> describe_external(const Target& target);
  Result<Done> list_external(const Target& target, const Doing& doing);
  Result<bool> external_holds(const Target& target);
  Result<SharedListing> fetched(const Target& target, const SharedListing& described, const Doing& doing);
  Result<Done> send(const Subject& subject, const Description& description, const Doing& doing);
  Result<MirrorChange> make_so(const Subject& subject, const StorePlace& base, const Listing& listing,
                               const std::string& root, const Doing& doing);
  Result<void> check_removals(const MirrorChange& changed, const StorePlace& place, const Target& target);
  Result<void> wait_for_readers(const StorePlace& place, const Target& target, const Doing& doing);
  Result<bool> announce(Transfer& transfer, const StorePlace& place, const Target& target,
                        const Listing& listing, const MirrorChange& changed, const Ledger& ledger,
                        const Doing& doing);

  DataServices services_;
  DataPlaces places_;
  Fetcher fetcher_;
  ExternalData external_;
  PlaceClaims claims_;
  Borrowings borrowings_;
  std::mutex announcing_;  // one target at a time looks at neighbours and tells of itself
};

}  // namespace trainmake
