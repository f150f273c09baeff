// Secrets: known by name, taken from the environment of whoever asks for what needs them, and told to nobody
// else.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/redactor.h"

namespace trainmake {

// Values by name. Never printed, hashed or written anywhere.
using Secrets = std::map<std::string, std::string>;

// Values that are shorter stand in other texts by chance.
inline constexpr std::size_t kTellingSize = 6;

std::vector<std::string> values_of(const Secrets& secrets);
// Names of the secrets with their values; one that is not set is a user error.
Result<Secrets> secrets_of(const Environment& environment, const std::vector<std::string>& names,
                           const std::string& label);
// Hides whatever of the secrets is set.
Redactor redactor_of(const Environment& environment, const std::vector<std::string>& names);

}  // namespace trainmake
