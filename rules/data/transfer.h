// Makes a place in a store what it should be. Its manifest object says first what is about to change and last
// what is there, and now and then in between, so that a transfer that is cut goes on near where it was.
#pragma once

#include <cstdint>

#include "cache/listing.h"
#include "engine/model/rule.h"
#include "rules/data/place.h"

namespace trainmake {

class Transfer {
 public:
  // Borrows all of them.
  Transfer(Host& host, const Workspace& workspace, const StorePlace& place, const Label& label,
           const Listing& listing, const MirrorChange& changed);
  Result<void> announce();  // first; nothing in the place is what it was from then on
  Result<void> run(const Doing& doing);

 private:
  Result<void> move(const Doing& doing);
  Result<void> go_on(const Doing& doing);
  Result<void> tell();

  Host& host_;
  const Workspace& workspace_;
  const StorePlace& place_;
  const Label& label_;
  const Listing& listing_;
  const MirrorChange& changed_;
  std::size_t sent_ = 0, removed_ = 0;
  std::int64_t told_ns_ = 0;
};

}  // namespace trainmake
