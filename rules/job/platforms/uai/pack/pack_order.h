// What the vendor's tools would have been asked for a job, read off its declaration. Pure: what the folders
// hold that it names, nobody has looked at yet. Refuses what they had no word for.
#pragma once

#include <string>

#include "engine/model/graph.h"
#include "engine/model/project.h"
#include "rules/job/platforms/uai/pack/pack_files.h"

namespace trainmake {

struct PackPlaces {
  std::string project;                 // absolute: the folder of the job's project
  std::string test_data, test_output;  // as they are typed; "" is the project's own
};
Result<PackOrder> pack_order_of(const Graph& graph, const Target& job, const Service& platform,
                                const PackPlaces& places);

}  // namespace trainmake
