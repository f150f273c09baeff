// Makes a place in a store what it should be. Its manifest object says first what is about to change, and
// then what is there; what is not needed any more goes last. Each write of it names the one before, so that
// of two who send to one place one hears of the other.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/model/rule.h"
#include "rules/data/elsewhere.h"
#include "rules/data/holding.h"
#include "rules/data/ledger.h"
#include "rules/data/place.h"
#include "rules/data/pulse.h"

namespace trainmake {

struct TransferOf {
  Host& host;
  const Workspace& workspace;
  Blobs& blobs;
  const StorePlace& place;
  Ledger& ledger;
  const Target& target;
  const Listing& listing;
  std::string root;  // tree identity, hex, of the listing
  const LikeObjects& elsewhere;
  Borrowings& borrowings;
  std::uint64_t worth_copying = kWorthCopying;
};

// What became of the objects of a change.
struct Moved {
  std::size_t sent = 0, copied = 0, found = 0, removed = 0;
  std::uint64_t bytes = 0;  // that travelled

  Moved& operator+=(const Moved& more);
};

class Transfer {
 public:
  // Borrows what it is of, and `changed`.
  Transfer(const TransferOf& of, const MirrorChange& changed);
  // Tells what is about to change. False when somebody else wrote the manifest object since the ledger saw
  // it: nothing was changed.
  Result<bool> announce();
  // After that. False when there is more to do: somebody else came in between, and nobody knows whose objects
  // those are that were sent; or it could not go on for a while, and what is left is to be announced anew.
  Result<bool> run(const Doing& doing);
  bool was_overtaken() const { return holding_.is_overtaken(); }
  const Moved& moved() const { return moved_; }
  // Whose lease is of no use any more once this has ended well; "" for none.
  std::string told_as() const { return holding_.told_as(); }

 private:
  Result<void> find_there(const Doing& doing);
  void give_up_uploads();
  Result<std::vector<const ListedFile*>> copy_first(
      const Doing& doing,
      const std::function<Result<void>(const std::vector<const ListedFile*>&)>& send_each);
  Result<void> send_all(const Doing& doing, const std::stop_token& stop);
  Result<void> send(const ListedFile& file, const Doing& doing, const std::stop_token& stop);
  Result<void> make_folder(const ListedFile& folder, const Doing& doing);
  Result<void> make_folders_again();
  Result<void> note_again(const ListedFile& file, const FileToPut& put);
  Result<void> outwait_copies(const Doing& doing);
  Result<bool> was_put(const ListedFile& file);
  std::optional<LikeObject> like(const ListedFile& file) const;
  LikeObject like_of(const MirrorObject& object) const;
  Result<std::vector<std::string>> still_ours(const std::vector<std::string>& keys, const Doing& doing);
  Result<void> make_way(const Doing& doing);
  Result<void> remove_last(const Doing& doing);
  Result<void> remove(const std::vector<std::string>& keys, const Doing& doing);
  Result<bool> finish(const Doing& doing);
  void note(const PutFile& done, const Doing& doing);
  void progress(const Doing& doing, std::uint64_t bytes);

  const TransferOf& of_;
  const MirrorChange& changed_;
  std::unordered_map<Digest128, MirrorObject> copyable_;   // by content, as they were before
  std::unordered_map<std::string, MirrorObject> earlier_;  // of keys that change, in chunks
  std::unordered_map<std::string, MirrorObject> removed_;  // as they were before
  std::size_t in_place_;                                   // objects, before
  // What lies under these keys nobody told us, and whose it is should it be what we would send.
  enum class Whose : std::uint8_t { kOthers, kOurs, kAskStore };
  struct Unknown {
    const ListedFile* file = nullptr;
    Whose whose = Whose::kOthers;
  };
  Whose whose(const ListedFile& file) const;
  Result<bool> is_found(const ListedFile& file, const PutFile& done);
  std::unordered_map<std::string_view, Unknown> unknown_;  // by key
  std::unordered_map<std::string, StoredObject> there_;    // of these: what was there before
  std::atomic<std::uint64_t> done_bytes_ = 0;
  std::atomic<std::int64_t> told_ns_ = 0;
  std::unordered_set<Digest128> twice_;  // what several files are
  std::mutex moving_;                    // guards what follows
  Moved moved_;
  std::vector<MirrorObject> first_of_twice_;
  static constexpr std::int64_t kNever_ns = -1;
  std::atomic<std::int64_t> copied_again_ns_ = kNever_ns;
  Holding holding_;
  std::unique_ptr<Pulse> pulse_;  // from before the announcement on
};

}  // namespace trainmake
