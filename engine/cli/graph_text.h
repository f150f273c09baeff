// A graph as people read it. Pure; labels are the shortest that work from `here`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model/graph.h"

namespace trainmake {

// `targets` are sorted, and all that they need is among them.

// An indented tree under each target that no other of them needs. A target's needs are shown once; where it
// stands again, `...` stands for them.
std::string graph_tree(const Graph& graph, const std::vector<TargetId>& targets, std::string_view here);
// For graphviz, an arrow from each target to what it needs.
std::string graph_dot(const Graph& graph, const std::vector<TargetId>& targets, std::string_view here);
// A page with a drawing; needs nothing from elsewhere.
std::string graph_html(const Graph& graph, const std::vector<TargetId>& targets, std::string_view here);

}  // namespace trainmake
