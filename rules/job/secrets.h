// Secrets of a job: known by name, taken from the environment of whoever submits, and told to nobody else.
#pragma once

#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/model/graph.h"
#include "rules/job/platform.h"
#include "rules/job/redactor.h"

namespace trainmake {

// Values that are shorter stand in other texts by chance.
inline constexpr std::size_t kTellingSize = 6;

// Names of the secrets with their values; one that is not set is a user error.
Result<Secrets> secrets_of(const Environment& environment, const std::vector<std::string>& names,
                           const std::string& label);
// Hides whatever of the secrets is set.
Redactor redactor_of(const Environment& environment, const std::vector<std::string>& names);
// A value that stands in what the job is told would be kept with its record, its order and its params: a user
// error.
Result<void> check_secrets_untold(const Environment& environment, const Target& target);

}  // namespace trainmake
