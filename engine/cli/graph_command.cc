// `graph [EXPR]`: what needs what, for eyes (text, dot) and for programs (JSON).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/graph_text.h"
#include "engine/cli/select_targets.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Json graph_json(const Graph& graph, const std::vector<TargetId>& targets) {
  Json json = {{"nodes", Json::array()}, {"edges", Json::array()}};
  for (const TargetId id : targets) {
    const Target& target = graph[id];
    json["nodes"].push_back({{"label", target.label.text()}, {"kind", target.label.kind}});
    for (const Dependency& need : target.needs) {
      json["edges"].push_back({{"from", target.label.text()},
                               {"to", graph[need.target].label.text()},
                               {"attr", need.attribute},
                               {"channel", need.channel.empty() ? Json() : Json(printable(need.channel))}});
    }
  }
  return json;
}

}  // namespace

Result<int> graph_command(const Call& call) {
  Session& session = call.session;
  const std::string format = session.line().value("--output").value_or("text");
  const std::vector<std::string> formats = {"text", "dot", "html", "json"};
  if (std::find(formats.begin(), formats.end(), format) == formats.end()) {
    return fail(
        user_error(cat("There is no format ", quoted(format), ": expected `text`, `dot`, `html` or `json`"),
                   did_you_mean(format, formats)));
  }
  const std::string query = join(session.line().words, " ");
  TRY_ASSIGN(const Selection selection, select_targets(call, query.empty() ? "//..." : query));
  const std::vector<TargetId> targets = with_needs(selection.graph, selection.targets);
  if (session.json() || format == "json") {
    write_stdout(graph_json(selection.graph, targets).dump(-1, ' ', false, Json::error_handler_t::replace) +
                 "\n");
  } else {
    const auto draw = format == "html" ? graph_html : format == "dot" ? graph_dot : graph_tree;
    write_stdout(draw(selection.graph, targets, session.here()));
  }
  return 0;
}

}  // namespace trainmake
