// Makes a place in a store what it should be. Its manifest object says first what is about to change, and
// then what is there; what is not needed any more goes last. Each write of it names the one before, so that
// of two who send to one place one hears of the other.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/model/rule.h"
#include "rules/data/elsewhere.h"
#include "rules/data/ledger.h"
#include "rules/data/place.h"

namespace trainmake {

struct TransferOf {
  Host& host;
  const Workspace& workspace;
  Blobs& blobs;
  const StorePlace& place;
  Ledger& ledger;
  const Label& label;
  const Listing& listing;
  std::string root;  // tree identity, hex, of the listing
  const LikeObjects& elsewhere;
  Borrowings& borrowings;
  std::uint64_t worth_copying = kWorthCopying;
};

class Transfer {
 public:
  // Borrows what it is of, and `changed`.
  Transfer(const TransferOf& of, const MirrorChange& changed);
  // Tells what is about to change. False when somebody else wrote the manifest object since the ledger saw
  // it: nothing was changed.
  Result<bool> announce();
  // After that. False when somebody else came in between: nobody knows whose objects those are that were
  // sent.
  Result<bool> run(const Doing& doing);

 private:
  class Keeper;
  Result<void> send_all(const Doing& doing, const std::stop_token& stop);
  Result<void> send(const ListedFile& file, const Doing& doing, const std::stop_token& stop);
  Result<void> make_folder(const ListedFile& folder, const Doing& doing);
  Result<void> make_folders_again();
  Result<bool> was_put(const ListedFile& file);
  std::optional<LikeObject> like(const ListedFile& file) const;
  LikeObject like_of(const MirrorObject& object) const;
  Result<void> remove(const std::vector<std::string>& keys, const Doing& doing);
  Result<bool> tell();
  struct Moment {
    std::int64_t steady_ns = 0, wall_ns = 0;
  };
  Moment moment() const;
  void held_since(const Moment& moment);
  std::int64_t since_told_ns() const;
  Result<void> may_write();
  Result<bool> finish(const Doing& doing);
  void progress(const Doing& doing, std::uint64_t bytes);

  const TransferOf& of_;
  const MirrorChange& changed_;
  std::unordered_map<Digest128, MirrorObject> copyable_;   // by content, as they were before
  std::unordered_map<std::string, MirrorObject> earlier_;  // of keys that change, in chunks
  std::atomic<std::uint64_t> done_bytes_ = 0;
  std::atomic<std::int64_t> told_ns_ = 0;
  // When the manifest object last said that we send, by both clocks: one stands still in a machine that
  // sleeps, and the other may be set.
  std::atomic<std::int64_t> held_steady_ns_ = 0, held_wall_ns_ = 0;
  std::mutex telling_;   // one thread at a time writes the manifest object
  std::mutex renewing_;  // and one alone does so because that was long ago
  std::atomic<bool> is_overtaken_ = false;
};

}  // namespace trainmake
