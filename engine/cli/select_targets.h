// An expression as typed, and the targets that it means in a graph that holds them and all that they need.
#pragma once

#include <string>
#include <vector>

#include "engine/cli/commands.h"
#include "engine/cli/query_expression.h"

namespace trainmake {

struct Selection {
  Graph graph;
  std::vector<TargetId> targets;  // sorted by label
};

Result<Expression> read_expression(const Call& call, const std::string& text);
// Loads what the expression names, and everything when it asks who needs something. Errors are printed as by
// load_or_fail.
Result<Selection> select_targets(const Call& call, const std::string& text);

}  // namespace trainmake
