// Where the files of one data target lie in a store: its keys, and the manifest object that says what is
// there. A place belongs to one target, and no place has keys in another's. Knows no workspace.
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
#include "rules/data/mirror.h"

namespace trainmake {

// A prefix as its clean path.
Result<std::string> clean_prefix(const std::string& given);
std::vector<Error> wrong_prefix(const Value& prefix);

struct StorePlace {
  std::shared_ptr<Store> store;
  std::string name;     // of the store
  std::string service;  // where that is
  std::string prefix;
  bool prune = true;
  bool snapshot = false;  // each content has a place of its own

  // The place of one content, by its tree's identity; a snapshot's alone is another than this.
  StorePlace of_content(const std::string& root) const;
  // So that a ledger is of one place in all the world.
  std::string identity() const;

  std::string text() const;  // `store/prefix`
  std::string key(const std::string& file_key) const;
  std::string manifest_key() const;
  // Where a look costs nothing, so that nobody need be believed.
  bool is_local() const { return !store->folder().empty(); }
  std::string local_path(const std::string& any_key) const;
  // What the manifest object says; nothing when there is none, or when it is damaged. Refused when it is
  // another target's: its files would be taken for ours, and removed.
  struct Seen {
    Mirror mirror;
    std::string tag;  // "" when there is none
    std::optional<std::int64_t> age_s;
  };
  Result<Seen> read(const Target& target) const;
  // The tag of the manifest object where a look costs nothing.
  Result<std::string> local_tag() const;
  // Refused when a place that another run made has keys in this one, or the other way round; also one that
  // was the target's own, which may come back.
  // What is removed counts as well: it is no neighbour's.
  Result<void> check_neighbours(const Target& target, const Listing& listing,
                                const MirrorChange& changed) const;
  // Waits until no other trainmake sends here. Nothing where a store has no locks.
  Result<std::optional<FileLock>> hold(Host& host, const Target& target, const Doing& doing) const;
  // The same for all of the store: held from looking at neighbours until this place is told of in it, so that
  // of two that meet one sees the other.
  Result<std::optional<FileLock>> hold_store(Host& host, const Target& target, const Doing& doing) const;

 private:
  Result<std::optional<Mirror>> neighbour(const std::string& other) const;  // of the place with that prefix
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
