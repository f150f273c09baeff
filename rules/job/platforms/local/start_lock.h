// A run's lock before there is a `started`: who holds it decides alone what becomes of the run. Knows not
// what is decided.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "engine/base/host.h"
#include "rules/job/platforms/local/run_folder.h"

namespace trainmake {

// Whether there is nothing to decide any more.
using Decided = std::function<Result<bool>()>;

// The lock, held exclusively, when there still is something to decide; an empty optional when there is not.
// Waits for whoever holds it; an error, which blames the other, when that takes longer than `patience`.
Result<std::optional<FileLock>> hold_undecided(FileSystem& files, Clock& clock, const RunFolder& run,
                                               const Decided& decided, std::chrono::nanoseconds patience);

}  // namespace trainmake
