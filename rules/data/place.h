// Where the files of one data target lie in a store: its keys, and the manifest object that says what is
// there. A place belongs to one target of one project, and no place has keys in another's. Knows no
// workspace.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cache/listing.h"
#include "cache/stores/store.h"
#include "engine/model/rule.h"
#include "rules/data/lease.h"
#include "rules/data/mirror.h"

namespace trainmake {

// A prefix as its clean path.
Result<std::string> clean_prefix(const std::string& given);
std::vector<Error> wrong_prefix(const Value& prefix);

// How the identity of a place of one content ends.
inline constexpr std::string_view kOfOneContent = "\nsnapshot";

struct StorePlace {
  std::shared_ptr<Store> store;
  std::string name;     // of the store
  std::string service;  // where that is
  std::string prefix;
  bool prune = true;
  bool snapshot = false;  // each content has a place of its own
  bool is_of_one_content = false;

  // The place of one content, by its tree's identity; a snapshot's alone is another than this.
  StorePlace of_content(const std::string& root) const;
  // So that a ledger is of one place in all the world.
  std::string identity() const;

  std::string text() const;  // `store/prefix`
  std::string key(const std::string& file_key) const;
  // What lies there, each with its key as a file has it.
  Result<void> list(const std::function<void(std::string_view, const StoredObject&)>& visit) const;
  std::string manifest_key() const;
  std::string lease_key(const std::string& writer) const;
  // Where a look costs nothing, so that nobody need be believed.
  bool is_local() const { return !store->traits().folder.empty(); }
  std::string local_path(const std::string& any_key) const;
  // What the manifest object says; nothing when there is none. Refused when it is another target's, whose
  // files would be taken for ours, and removed; and when it cannot be read: what it says would be lost.
  struct Seen {
    Mirror mirror;
    std::string tag;  // "" when there is none
    std::optional<std::int64_t> age_s;
    bool is_damaged = false;
    LeaseSeen lease;  // of its writer, who may still be at work

    bool may_be_at_work() const { return !mirror.unsettled.empty() || mirror.repeats; }
    // Since anything was heard of its writer; nothing where no clock tells.
    std::optional<std::int64_t> heard_s() const;
  };
  Result<Seen> read(const Target& target) const;
  // The same, for whoever mends what is damaged.
  Result<Seen> read_or_damaged(const Target& target) const;
  Error damaged(const Target& target) const;
  // Where a store has folders: what others put there has the name of one that is sent, or lies in it.
  Error in_the_way(const Target& target) const;
  Result<void> check_owner(const Mirror& there, const Target& target) const;
  // The tag of the manifest object where a look costs nothing.
  Result<std::string> local_tag() const;
  // Refused when a place that another run made has keys in this one, or the other way round; also one that
  // was the target's own, which may come back.
  // What is removed counts as well: it is no neighbour's.
  Result<void> check_neighbours(const Target& target, const Listing& listing,
                                const MirrorChange& changed) const;
  // While it is kept: long silence of the store is told.
  [[nodiscard]] std::shared_ptr<void> heed(const Doing& doing) const;
  // Waits until no other trainmake sends here. Nothing where a store has no locks.
  Result<std::optional<FileLock>> hold(Host& host, const Target& target, const Doing& doing) const;
  // The same for all of the store: held from looking at neighbours until this place is told of in it, so that
  // of two that meet one sees the other.
  Result<std::optional<FileLock>> hold_store(Host& host, const Target& target, const Doing& doing) const;

 private:
  // Of the place with that prefix.
  Result<std::optional<Mirror>> neighbour(const std::string& other, const Target& target) const;
  Result<void> check_project(const Mirror& there, const Target& target) const;
  Error met(const Mirror& there, const std::string& other, const Target& target) const;
  Result<std::optional<FileLock>> lock(Host& host, const Target& target, const Doing& doing,
                                       const std::string& key, const std::string& what) const;
};

// The places of one run, so that two targets that meet are an error before either is sent. Thread rule: any
// thread.
class PlaceClaims {
 public:
  Result<void> claim(const StorePlace& place, const Target& target, std::shared_ptr<const Listing> listing);

 private:
  struct Owner {
    Label label;
    std::shared_ptr<const Listing> listing;
  };
  std::mutex mutex_;
  std::map<std::string, Owner> owners_;  // by store and prefix
};

}  // namespace trainmake
