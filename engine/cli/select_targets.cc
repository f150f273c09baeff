#include "engine/cli/select_targets.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// An attribute that no kind has is a slip of the pen.
Result<void> check_attributes(const std::vector<const Schema*>& schemas, const Expression& expression) {
  for (const Expression& part : expression.parts) TRY(check_attributes(schemas, part));
  if (expression.operation != Expression::Operation::kAttr) return {};
  const std::string name = expression.name.substr(0, expression.name.find('.'));
  std::vector<std::string> names;
  for (const Schema* schema : schemas) {
    for (std::string& known : schema->names()) names.push_back(std::move(known));
  }
  if (std::find(names.begin(), names.end(), name) != names.end()) return {};
  return fail(
      user_error(cat("No kind of target has an attribute ", quoted(name)), did_you_mean(name, names)));
}

}  // namespace

Result<Expression> read_expression(const Call& call, const std::string& text) {
  Session& session = call.session;
  TRY_ASSIGN(Expression expression, parse_expression(text, [&](const std::string& word) {
               return parse_request(session.host(), session.position(), word);
             }));
  TRY(check_attributes(session.schemas(), expression));
  return expression;
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
