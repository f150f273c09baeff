// The graph as a page that stands alone: columns by how much a target needs, each target right of all that it
// needs.
#include <algorithm>

#include "engine/base/text.h"
#include "engine/cli/graph_text.h"

namespace trainmake {
namespace {

constexpr std::size_t kRowHeight = 44, kBoxHeight = 28, kColumnGap = 60, kMargin = 20, kLetterWidth = 8;

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>trainmake graph</title>
<style>
  body { margin: 0; background: #fff; color: #222; font: 13px ui-monospace, monospace; }
  rect { rx: 4; stroke: #0004; }
  path { fill: none; stroke: #8888; }
  .code { fill: #dbeafe; } .data { fill: #dcfce7; } .image { fill: #fef3c7; } .job { fill: #fce7f3; }
  path:hover { stroke: #222; }
  @media (prefers-color-scheme: dark) { body { background: #1b1b1f; } text { fill: #222; } path:hover { stroke: #fff; } }
</style>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

struct Box {
  std::size_t column = 0, x = 0, y = 0, width = 0;
};

struct Layout {
  std::vector<Box> boxes;  // by TargetId; of those that are shown
  std::size_t width = 0, height = 0;
};

Layout lay_out(const Graph& graph, const std::vector<TargetId>& targets, std::string_view here) {
  Layout layout{std::vector<Box>(graph.targets.size()), 0, 0};
  for (TargetId id = 0; id < graph.targets.size(); ++id) {
    for (const Dependency& need : graph[id].needs)
      layout.boxes[id].column = std::max(layout.boxes[id].column, layout.boxes[need.target].column + 1);
  }
  std::vector<std::size_t> widths, rows;
  for (const TargetId id : targets) {
    Box& box = layout.boxes[id];
    if (box.column >= widths.size()) widths.resize(box.column + 1), rows.resize(box.column + 1);
    box.width = kLetterWidth * printable(graph[id].label.shortest_from(here)).size() + kMargin;
    box.y = kMargin + kRowHeight * rows[box.column]++;
    widths[box.column] = std::max(widths[box.column], box.width);
    layout.height = std::max(layout.height, box.y + kRowHeight);
  }
  std::vector<std::size_t> lefts;
  layout.width = kMargin;
  for (const std::size_t width : widths) {
    lefts.push_back(layout.width);
    layout.width += width + kColumnGap;
  }
  for (const TargetId id : targets) layout.boxes[id].x = lefts[layout.boxes[id].column];
  return layout;
}

std::string arrow(const Box& from, const Box& to, std::string_view title) {
  const std::size_t x1 = to.x + to.width, y1 = to.y + kBoxHeight / 2, x2 = from.x,
                    y2 = from.y + kBoxHeight / 2;
  const std::size_t middle = (x1 + x2) / 2;
  return cat("<path d=\"M", x1, " ", y1, "C", middle, " ", y1, " ", middle, " ", y2, " ", x2, " ", y2,
             "\"><title>", escaped(title), "</title></path>\n");
}

}  // namespace

std::string graph_html(const Graph& graph, const std::vector<TargetId>& targets, std::string_view here) {
  const Layout layout = lay_out(graph, targets, here);
  std::string text = cat(kHead, "<svg width=\"", layout.width, "\" height=\"", layout.height, "\">\n");
  for (const TargetId id : targets) {
    for (const Dependency& need : graph[id].needs) {
      const std::string title =
          cat(graph[id].label.shortest_from(here), " needs ", graph[need.target].label.shortest_from(here),
              " as ", need.channel.empty() ? need.attribute : need.channel);
      text += arrow(layout.boxes[id], layout.boxes[need.target], title);
    }
  }
  for (const TargetId id : targets) {
    const Box& box = layout.boxes[id];
    text += cat("<rect class=\"", escaped(graph[id].label.kind), "\" x=\"", box.x, "\" y=\"", box.y,
                "\" width=\"", box.width, "\" height=\"", kBoxHeight, "\"/><text x=\"", box.x + kMargin / 2,
                "\" y=\"", box.y + 18, "\">", escaped(graph[id].label.shortest_from(here)), "</text>\n");
  }
  return text + "</svg>\n";
}

}  // namespace trainmake
