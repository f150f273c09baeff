// Work on many things, several of them at once: each waits for somebody else most of its time.
#pragma once

#include <cstddef>
#include <functional>

#include "engine/base/error.h"

namespace trainmake {

// Calls body(0) to body(count - 1) on up to `threads` threads, in that order; after an error no more are
// begun, and the first one is returned once all have ended.
Result<void> at_once(std::size_t count, std::size_t threads,
                     const std::function<Result<void>(std::size_t)>& body);

}  // namespace trainmake
