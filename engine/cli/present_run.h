// Which of several runs of a label that go on is meant: that of the job as its files have it now.
#pragma once

#include <cstdint>
#include <string>

#include "engine/cli/find_run.h"
#include "engine/cli/session.h"
#include "engine/model/record.h"

namespace trainmake {

// As find_run, for whoever does something to a run or follows it. Where several runs of the label go on it is
// the one with the job's present fingerprint. Where that is none of them, an error lists them (kOne), or it
// is the latest, which stderr says (kAny).
enum class OfSeveral : std::uint8_t { kOne, kAny };
Result<Run> find_run_going_on(Session& session, const std::string& word, WhichRun which,
                              OfSeveral of_several = OfSeveral::kOne);

}  // namespace trainmake
