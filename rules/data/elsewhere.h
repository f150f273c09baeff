// What a store has already of what is to be sent, under keys of other targets or in the snapshot before this
// one, as far as we know of them. Asked before anything of a run is done: what moves from one target to
// another is gone from the first by its end.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>

#include "cache/stores/store.h"
#include "engine/model/rule.h"
#include "rules/data/data_places.h"
#include "rules/data/mirror.h"

namespace trainmake {

inline constexpr std::size_t kOthersAsked = 8;  // ledgers of other places; each is read whole

using LikeObjects = std::unordered_map<Digest128, LikeObject>;  // by content

// `least` is the size from which that is worth it.
LikeObjects find_elsewhere(DataPlaces& places, const Subject& subject, const StorePlace& place,
                           const MirrorChange& changed, std::uint64_t least);

// Who copies objects of whom right now, so that none is removed under somebody's hands. Thread rule: any.
class Borrowings {
 public:
  // `label` will copy these, should it run.
  void plan(const Label& label, LikeObjects objects);
  // What it copies, from now on until end.
  std::shared_ptr<const LikeObjects> begin(const Label& label);
  void end(const Label& label);
  // Until nobody else copies one of `keys`, of the store, any more; an error when that is stopped. Whoever
  // waits before its own copies are made has to end them first: two would wait for each other.
  Result<void> wait_for(const Label& owner, const std::set<std::string>& keys, const std::stop_token& stop);

 private:
  struct Borrowing {
    std::shared_ptr<const LikeObjects> objects = std::make_shared<const LikeObjects>();
    bool is_going_on = false;
  };
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::map<std::string, Borrowing> by_label_;
};

}  // namespace trainmake
