// What a job runs: the code of its image, the main file among it, and how that is started. During a plan some
// of it may not be known yet; then there is less to check, and nothing is an error for that.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/model/rule.h"
#include "rules/job/job_spec.h"
#include "rules/job/services.h"
#include "rules/job/upstream.h"

namespace trainmake {

struct Entry {                          // what is run
  std::string main;                     // "" when there is a command
  std::optional<Starter> starter;       // when the main file could be read
  std::string source;                   // what that file says, then
  std::shared_ptr<const Listing> code;  // when there is any
};
// The files of all of these, in their order; nullptr when there are none. `image` is for an error.
Result<std::shared_ptr<const Listing>> merged(const std::vector<std::shared_ptr<const Listing>>& listings,
                                              const std::string& image);
Result<Entry> entry_of(Listings& listings, const JobServices& services, const Subject& job, Files which);

}  // namespace trainmake
