// What `data` means: files where jobs will read them. In place without a store; with one, a mirror of which
// only what differs travels. Knows nothing of jobs.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "cache/file_set.h"
#include "engine/model/rule.h"
#include "rules/data/data_places.h"
#include "rules/data/external_targets.h"
#include "rules/data/fetch.h"
#include "rules/data/services.h"
#include "rules/data/split.h"
#include "rules/data/stored.h"
#include "rules/data/sync.h"

namespace trainmake {

const Schema& data_schema();

class DataRule final : public Rule {
 public:
  explicit DataRule(const DataServices& services);

  const Schema& schema() const override { return data_schema(); }
  Pool pool() const override { return Pool::kNetwork; }
  std::vector<std::pair<Error, Label>> before_run(const Graph& graph, const EventSink& events) override {
    external_.settle(graph, events);
    return {};
  }
  Result<Description> describe(const Subject& subject) override;
  bool says_where(const ManifestLine& line) const override;
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;
  // Where it will lie, as its artifact says, but for the content of a snapshot; "" in no store.
  Result<std::string> foresee_store(const Target& target);
  // Before a job is submitted that reads it in its store: an error unless it lies there as it was sent; and a
  // mark of that, by which is_as_marked tells, once the job is over, whether it did so all the time. Where it
  // reads the whole folder, what lies there beside `files` is told.
  Result<std::string> check_stored(const Target& target, const std::string& root, const Doing& doing,
                                   const Listing* files = nullptr);
  Result<bool> is_as_marked(const std::string& address, std::string_view mark, const Listing& files) {
    return is_stored_as_marked(
        {services_.host, services_.workspace, services_.space, services_.store_rooms, services_.tally},
        places_, address, mark, files);
  }

 private:
  struct Gathered {
    FileSet set;
    std::vector<FetchedFile> fetches;
    bool is_whole = true;  // false: one of them was not fetched yet
  };
  Result<Gathered> gather(const Target& target);
  Result<SharedListing> with_parts(const Target& target, const SharedListing& whole);
  Result<SharedListing> fetched(const Target& target, const SharedListing& described, const Doing& doing);
  Result<Done> send(const Subject& subject, const Description& description, const Doing& doing);
  Result<std::string> what_frees(const StorePlace& base, const Listing& listing, const std::string& identity);

  DataServices services_;
  DataPlaces places_;
  Fetcher fetcher_;
  ExternalTargets external_{services_, places_};
  Splitter splitter_{services_.host, services_.workspace, services_.blobs};
  Sync sync_{services_, places_};
};

}  // namespace trainmake
