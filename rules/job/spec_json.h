// A job's spec as JSON and back, for a run's provenance: with it a run can be repeated by who knows no
// TRAINFILE, or another one by now. Files are named by their listings' blobs. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "engine/base/redactor.h"
#include "rules/job/job_spec.h"

namespace trainmake {

// Without label, image and data, which stand beside it, and the checkpoint. `whole` is false when `redactor`
// hid some of it.
nlohmann::ordered_json spec_json(const JobSpec& spec, const Redactor& redactor);
// Without `code`, for its listings are to be read.
std::optional<JobSpec> parse_spec(const nlohmann::ordered_json& json);

}  // namespace trainmake
