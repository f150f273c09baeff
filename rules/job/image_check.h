// Whether the image that a job runs in has the program that its command begins with: asked once the image is
// unpacked, and before there is a run.
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"
#include "rules/job/contract.h"
#include "rules/job/job_spec.h"

namespace trainmake {

// The programs that `arguments` are known to run: the first word, and the one that `env` looks up.
std::vector<std::string> programs_of(const std::vector<std::string>& arguments);

// REQUIRES: the spec has a root.
Result<void> check_image(const Contract& contract, const JobSpec& spec);

}  // namespace trainmake
