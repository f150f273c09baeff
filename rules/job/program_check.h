// Whether the program that a job's command begins with is there, as far as that is known before anything is
// built: among the code, on this machine where jobs are its processes, or in an image on "scratch", which has
// nothing else. What a base has is not known here; image_check.h looks when it is. Read-only.
#pragma once

#include "rules/job/entry.h"
#include "rules/job/services.h"

namespace trainmake {

Result<void> check_known_program(const JobServices& services, const Subject& job, const Entry& entry);

// Whether its image has no base, and the advice to who misses something in it.
bool is_on_scratch(const Subject& job);
inline constexpr const char* kOfScratch =
    "Its image's `base` is \"scratch\", which has nothing: name one that has it. Where a `select` chose "
    "that, "
    "`--local` with `--contract NAME` or `--variant NAME` lets it choose as the job's platform would";

}  // namespace trainmake
