// The value of a declared secret must not stand in what a target declares besides.
#pragma once

#include "engine/base/secrets.h"
#include "engine/model/graph.h"

namespace trainmake {

// It would be kept with records, orders and images, and shown: a user error.
Result<void> check_secrets_untold(const Environment& environment, const Target& target);

}  // namespace trainmake
