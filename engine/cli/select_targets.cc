#include "engine/cli/select_targets.h"

namespace trainmake {

Result<Expression> read_expression(const Call& call, const std::string& text) {
  Session& session = call.session;
  return parse_expression(
      text, [&](const std::string& word) { return parse_request(session.host(), session.position(), word); });
}

Result<Selection> select_targets(const Call& call, const std::string& text) {
  TRY_ASSIGN(const Expression expression, read_expression(call, text));
  std::vector<Pattern> patterns = patterns_of(expression);
  if (looks_at_everything(expression)) patterns.push_back({"", true, "*", "*"});
  TRY_ASSIGN(Loaded loaded, load_or_fail(call, patterns));
  std::vector<TargetId> targets = evaluate(expression, loaded.graph);
  return Selection{std::move(loaded.graph), std::move(targets)};
}

}  // namespace trainmake
