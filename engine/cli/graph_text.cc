#include "engine/cli/graph_text.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

std::string dot_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string tree_line(const Graph& graph, const Dependency& need, std::string_view here) {
  std::string text = printable(graph[need.target].label.shortest_from(here));
  if (!need.channel.empty()) text += cat(" as ", printable(need.channel));
  return text;
}

// Without recursion: a chain may be as long as the file.
void add_tree(const Graph& graph, TargetId root, std::string_view here, std::vector<bool>& shown,
              std::string& text) {
  struct Line {
    Dependency need;
    std::size_t depth = 0;
  };
  std::vector<Line> waiting = {{{root, "", ""}, 0}};
  while (!waiting.empty()) {
    const Line line = std::move(waiting.back());
    waiting.pop_back();
    const std::vector<Dependency>& needs = graph[line.need.target].needs;
    const bool again = shown[line.need.target] && !needs.empty();
    shown[line.need.target] = true;
    text += cat(std::string(2 * line.depth, ' '), tree_line(graph, line.need, here), again ? " ...\n" : "\n");
    if (again) continue;
    for (std::size_t i = needs.size(); i-- > 0;) waiting.push_back({needs[i], line.depth + 1});
  }
}

}  // namespace

std::string graph_tree(const Graph& graph, const std::vector<TargetId>& targets, std::string_view here) {
  std::vector<bool> needed(graph.targets.size(), false);
  for (const TargetId id : targets) {
    for (const Dependency& need : graph[id].needs) needed[need.target] = true;
  }
  std::vector<bool> shown(graph.targets.size(), false);
  std::string text;
  for (const TargetId id : targets) {
    if (!needed[id]) add_tree(graph, id, here, shown, text);
  }
  return text;
}

std::string graph_dot(const Graph& graph, const std::vector<TargetId>& targets, std::string_view here) {
  std::string text = "digraph trainmake {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const TargetId id : targets) text += cat("  ", dot_quoted(graph[id].label.shortest_from(here)), ";\n");
  for (const TargetId id : targets) {
    for (const Dependency& need : graph[id].needs) {
      text += cat("  ", dot_quoted(graph[id].label.shortest_from(here)), " -> ",
                  dot_quoted(graph[need.target].label.shortest_from(here)),
                  " [label=", dot_quoted(need.channel.empty() ? need.attribute : need.channel), "];\n");
    }
  }
  return text + "}\n";
}

}  // namespace trainmake
