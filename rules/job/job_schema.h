// What may be said of a job, and which of it its result depends on. Knows no platform.
#pragma once

#include "engine/model/graph.h"
#include "engine/model/schema.h"

namespace trainmake {

const Schema& job_schema();

// The entries of `resources` that a result depends on, with what they are when nothing is said; the others
// only say where it runs.
struct CountedResource {
  const char* name;
  std::int64_t otherwise;
};
inline constexpr CountedResource kCountedResources[] = {{"nodes", 1}, {"gpus", 0}};

int retries_of(const Target& job);
bool resumes(const Target& job);  // from its last checkpoint

}  // namespace trainmake
