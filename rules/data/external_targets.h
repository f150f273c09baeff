// The questions of a data target whose files lie in a store already: what it is, what there is to do, and
// whether that was done.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "engine/model/graph.h"
#include "engine/model/rule.h"
#include "rules/data/external.h"
#include "rules/data/services.h"

namespace trainmake {

class ExternalTargets {
 public:
  // Borrows both.
  ExternalTargets(const DataServices& services, DataPlaces& places)
      : services_(services),
        external_({services.host, services.workspace, services.space, services.store_rooms, services.tally},
                  places, services.blobs) {}

  // Asks the stores of all of them. Where that fails, it is told when it is their turn: what does not need
  // them is made all the same.
  void settle(const Graph& graph, const EventSink& events);
  Result<Description> describe(const Target& target);
  Result<Done> execute(const Target& target, const Doing& doing);
  // Whether what jobs here need of it is here.
  Result<bool> holds(const Target& target);

 private:
  const DataServices& services_;
  std::map<std::string, Error> failed_;  // by url: whom nobody could ask
  ExternalData external_;
};

}  // namespace trainmake
