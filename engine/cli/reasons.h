// Why a step runs, or ran, as a person or a script reads it. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/manifest.h"

namespace trainmake {

nlohmann::ordered_json reasons_json(const std::vector<Reason>& reasons);
std::string reason_text(const Reason& reason, std::string_view here);  // `here` shortens labels

// Without `keys`, which sums up where files lie: it is worth a line only when no file explains the change.
std::vector<Reason> telling(std::vector<Reason> reasons);

}  // namespace trainmake
