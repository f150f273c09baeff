// A target as `query` tells it to a script. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/model/graph.h"

namespace trainmake {

// {label, kind, file, line}: where it is declared.
nlohmann::ordered_json place_json(const Label& label, const Location& where);
// And what it needs and says, its labels absolute: {..., deps, attrs}.
nlohmann::ordered_json target_json(const std::vector<const Schema*>& schemas, const Graph& graph,
                                   const Target& target);
std::string json_line(const nlohmann::ordered_json& json);

}  // namespace trainmake
