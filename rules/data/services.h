// What data targets work with; put together by the command line. Borrows all.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cache/blobs.h"
#include "cache/file_set.h"
#include "cache/stores/store.h"
#include "engine/model/record.h"
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
  bool jobs_read_stores = false;  // what lies in a store already need not come here for them
  bool may_prune = false;         // even where nothing was sent from here before
  // A run in flight whose job reads what lies at that address in a store.
  std::function<Result<std::optional<Run>>(const std::string& store, const Doing& doing)> reader_of = nullptr;
  std::string platform_name = {};  // whose runs that settles
};

}  // namespace trainmake
