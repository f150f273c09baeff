// Who reads what lies in a store: jobs in flight, as their platform tells of them now. One that was meant to
// start and never will reads nothing; that is remembered. Knows no platform by name.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/base/host.h"
#include "engine/model/memory.h"
#include "engine/model/rule.h"
#include "rules/job/platform.h"

namespace trainmake {

// An empty optional when another trainmake is at that run.
using HoldRun = std::function<Result<std::optional<FileLock>>(const Run&)>;

// Borrows all but the last.
struct ReaderServices {
  Runs& runs;
  Clock& clock;
  const std::string& platform_name;
  Platform& platform;
  HoldRun hold_run;
};

// A run in flight whose job reads what lies at `store`, or may: of another platform as it is remembered.
Result<std::optional<Run>> reader_of(const ReaderServices& services, const std::string& store,
                                     const Doing& doing);

}  // namespace trainmake
