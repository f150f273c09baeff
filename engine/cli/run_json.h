// A run as JSON, as the surface has it: absent values are null, never missing. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "engine/model/record.h"
#include "rules/job/checkpoint.h"

namespace trainmake {

enum class RunDetail : std::uint8_t {
  kLine,  // what `runs` and `ps` say of each
  kAll,   // and what `show` adds: how to repeat it
};
std::string run_json(const Run& run, RunDetail detail = RunDetail::kLine);  // one line, without its end

nlohmann::ordered_json checkpoint_json(const std::optional<ToldCheckpoint>& told);

}  // namespace trainmake
