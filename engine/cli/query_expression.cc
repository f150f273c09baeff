#include "engine/cli/query_expression.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using Operation = Expression::Operation;

// Nobody writes more by hand, and the stack must not overflow.
constexpr int kDeepest = 100;
constexpr int kMostOperands = 1000;
constexpr std::string_view kFunctions[] = {"deps", "rdeps", "kind", "attr"};
constexpr std::string_view kHint =
    "As `deps(job:mnist) & kind(data, //...)`; `trainmake help query` lists what there is";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

struct Parser {
  std::string_view text;
  const WordParser& parse_word;
  std::size_t at = 0;
  int depth = 0;
  int operands = 0;

  void skip_blanks() {
    while (at < text.size() && is_blank(text[at])) ++at;
  }
  bool next_is(char c) {
    skip_blanks();
    return at < text.size() && text[at] == c;
  }

  std::string found() {
    skip_blanks();
    if (at == text.size()) return "the end";
    std::size_t end = at + 1;
    while (end < text.size() && !is_blank(text[end])) ++end;
    return quoted(text.substr(at, end - at));
  }
  Error expected(std::string_view what) {
    return user_error(cat("Expected ", what, " in the query ", quoted(text), ", got ", found()),
                      std::string(kHint));
  }

  Result<void> take(char c) {
    if (!next_is(c)) return fail(expected(cat("`", c, "`")));
    ++at;
    return {};
  }

  // Up to a blank, a comma or a parenthesis; or anything between quotation marks.
  Result<std::string> word(std::string_view what) {
    skip_blanks();
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) {
      const std::size_t end = text.find(text[at], at + 1);
      if (end == std::string_view::npos)
        return fail(user_error(cat("A quotation mark is not closed in the query ", quoted(text))));
      const std::string inside(text.substr(at + 1, end - at - 1));
      at = end + 1;
      return inside;
    }
    const std::size_t begin = at;
    while (at < text.size() && !is_blank(text[at]) && text[at] != ',' && text[at] != '(' && text[at] != ')')
      ++at;
    const std::string_view inside = text.substr(begin, at - begin);
    if (inside.empty() || inside == "-" || inside == "&" || inside == "+") {
      at = begin;
      return fail(expected(what));
    }
    return std::string(inside);
  }

  Result<void> name_kind(Expression& call) {
    TRY_ASSIGN(call.name, word("a kind"));
    if (!is_kind(call.name)) {
      const std::vector<std::string> kinds(std::begin(kKinds), std::end(kKinds));
      const std::string meant = did_you_mean(call.name, kinds);
      return fail(user_error(cat("There is no kind ", quoted(call.name)),
                             meant.empty() ? cat("There are ", join(kinds, ", ")) : meant));
    }
    return take(',');
  }
  Result<void> name_attribute(Expression& call) {
    TRY_ASSIGN(call.name, word("an attribute"));
    TRY(take(','));
    TRY_ASSIGN(call.value, word("a value"));
    return take(',');
  }

  Result<Expression> function(const std::string& name) {
    const auto known = std::find(std::begin(kFunctions), std::end(kFunctions), name);
    if (known == std::end(kFunctions)) {
      const std::vector<std::string> names(std::begin(kFunctions), std::end(kFunctions));
      const std::string meant = did_you_mean(name, names);
      return fail(user_error(cat("A query has no function ", quoted(name)),
                             meant.empty() ? cat("There are ", join(names, ", ")) : meant));
    }
    constexpr Operation kOperations[] = {Operation::kDeps, Operation::kRdeps, Operation::kKind,
                                         Operation::kAttr};
    Expression call{kOperations[known - std::begin(kFunctions)], {}, {}, {}, {}};
    TRY(take('('));
    if (call.operation == Operation::kKind) TRY(name_kind(call));
    if (call.operation == Operation::kAttr) TRY(name_attribute(call));
    TRY_ASSIGN(Expression inner, expression());
    call.parts.push_back(std::move(inner));
    TRY(take(')'));
    return call;
  }

  Result<Expression> operand() {
    if (++operands > kMostOperands)
      return fail(user_error(cat("A query may name ", kMostOperands, " sets at most")));
    if (next_is('(')) {
      ++at;
      TRY_ASSIGN(Expression inner, expression());
      TRY(take(')'));
      return inner;
    }
    const bool in_quotes = next_is('"') || next_is('\'');
    TRY_ASSIGN(const std::string name, word("a label, a pattern or a function"));
    if (!in_quotes && next_is('(')) return function(name);
    Expression pattern;
    TRY_ASSIGN(pattern.pattern, parse_word(name));
    return pattern;
  }

  std::optional<Operation> operation() {
    skip_blanks();
    const bool stands_alone =
        at + 1 == text.size() || (at + 1 < text.size() && (is_blank(text[at + 1]) || text[at + 1] == '('));
    if (!stands_alone) return std::nullopt;
    switch (text[at]) {
      case '-':
        return Operation::kWithout;
      case '&':
        return Operation::kBoth;
      case '+':
        return Operation::kEither;
      default:
        return std::nullopt;
    }
  }

  Result<Expression> expression() {
    if (++depth > kDeepest) return fail(user_error(cat("A query may be nested ", kDeepest, " deep at most")));
    TRY_ASSIGN(Expression left, operand());
    while (const std::optional<Operation> operation = this->operation()) {
      ++at;
      TRY_ASSIGN(Expression right, operand());
      Expression both{*operation, {}, {}, {}, {}};
      both.parts.push_back(std::move(left));
      both.parts.push_back(std::move(right));
      left = std::move(both);
    }
    --depth;
    return left;
  }
};

using Flags = std::vector<bool>;  // by TargetId

// Whether `value` is `text`, or holds it.
bool says(const Value& value, std::string_view text) {
  const auto is = [&](const Value& each) { return each.is_scalar() && scalar_text(each) == text; };
  const Table* table = value.table();
  if (table == nullptr) return is(value);
  return std::any_of(table->items.begin(), table->items.end(), is) ||
         std::any_of(table->fields.begin(), table->fields.end(),
                     [&](const auto& field) { return is(field.second); });
}

// `params.lr` is the field `lr` of the attribute `params`.
const Value* find_value(const Table& attributes, std::string_view name) {
  if (const Value* whole = attributes.find(name)) return whole;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const Value* outer = attributes.find(name.substr(0, dot));
  return outer == nullptr || outer->table() == nullptr ? nullptr
                                                       : find_value(*outer->table(), name.substr(dot + 1));
}

// Needed ones come before those that need them, so one pass each way reaches everything.
void add_needs(const Graph& graph, Flags& flags) {
  for (std::size_t id = flags.size(); id-- > 0;) {
    if (!flags[id]) continue;
    for (const Dependency& need : graph.targets[id].needs) flags[need.target] = true;
  }
}
void add_users(const Graph& graph, Flags& flags) {
  for (std::size_t id = 0; id < flags.size(); ++id) {
    for (const Dependency& need : graph.targets[id].needs) {
      if (flags[need.target]) flags[id] = true;
    }
  }
}

Flags find(const Expression& expression, const Graph& graph);

Flags combine(const Expression& expression, const Graph& graph) {
  Flags flags = find(expression.parts[0], graph);
  const Flags right = find(expression.parts[1], graph);
  for (std::size_t id = 0; id < flags.size(); ++id) {
    if (expression.operation == Operation::kWithout) flags[id] = flags[id] && !right[id];
    if (expression.operation == Operation::kBoth) flags[id] = flags[id] && right[id];
    if (expression.operation == Operation::kEither) flags[id] = flags[id] || right[id];
  }
  return flags;
}

Flags find(const Expression& expression, const Graph& graph) {
  if (expression.parts.size() == 2) return combine(expression, graph);
  Flags flags =
      expression.parts.empty() ? Flags(graph.targets.size(), true) : find(expression.parts[0], graph);
  if (expression.operation == Operation::kDeps) add_needs(graph, flags);
  if (expression.operation == Operation::kRdeps) add_users(graph, flags);
  const auto fits = [&](const Target& target) {
    if (expression.operation == Operation::kPattern) return expression.pattern.fits(target.label);
    if (expression.operation == Operation::kKind) return target.label.kind == expression.name;
    if (expression.operation != Operation::kAttr) return true;
    const Value* value = find_value(target.attributes, expression.name);
    return value != nullptr && says(*value, expression.value);
  };
  for (TargetId id = 0; id < flags.size(); ++id) flags[id] = flags[id] && fits(graph[id]);
  return flags;
}

Flags flags_of(const Graph& graph, const std::vector<TargetId>& targets) {
  Flags flags(graph.targets.size(), false);
  for (const TargetId id : targets) flags[id] = true;
  return flags;
}

std::vector<TargetId> sorted(const Graph& graph, const Flags& flags) {
  std::vector<TargetId> targets;
  for (TargetId id = 0; id < flags.size(); ++id) {
    if (flags[id]) targets.push_back(id);
  }
  std::sort(targets.begin(), targets.end(),
            [&](TargetId a, TargetId b) { return graph[a].label < graph[b].label; });
  return targets;
}

// A label with blanks, and nothing else that would need quotation marks around it.
bool is_one_label(std::string_view text) {
  if (text.find(' ') == text.npos || text.find_first_of("(),\"'") != text.npos) return false;
  for (const char* sign : {" - ", " & ", " + "}) {
    if (text.find(sign) != text.npos) return false;
  }
  return text.find(':') != text.npos && text.find(':') == text.rfind(':');
}

}  // namespace

Result<Expression> parse_expression(std::string_view text, const WordParser& parse_word) {
  if (is_one_label(text)) {
    Expression expression;
    TRY_ASSIGN(expression.pattern, parse_word(std::string(text)));
    return expression;
  }
  Parser parser{text, parse_word};
  TRY_ASSIGN(Expression expression, parser.expression());
  parser.skip_blanks();
  if (parser.at != text.size()) return fail(parser.expected("the end, or `-`, `&` or `+` between blanks,"));
  return expression;
}

std::vector<Pattern> patterns_of(const Expression& expression) {
  if (expression.operation == Operation::kPattern) return {expression.pattern};
  std::vector<Pattern> patterns;
  for (const Expression& part : expression.parts) {
    std::vector<Pattern> more = patterns_of(part);
    patterns.insert(patterns.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
  }
  return patterns;
}

bool looks_at_everything(const Expression& expression) {
  return expression.operation == Operation::kRdeps ||
         std::any_of(expression.parts.begin(), expression.parts.end(), looks_at_everything);
}

std::vector<TargetId> evaluate(const Expression& expression, const Graph& graph) {
  return sorted(graph, find(expression, graph));
}

std::vector<TargetId> with_needs(const Graph& graph, const std::vector<TargetId>& targets) {
  Flags flags = flags_of(graph, targets);
  add_needs(graph, flags);
  return sorted(graph, flags);
}

std::vector<TargetId> with_users(const Graph& graph, const std::vector<TargetId>& targets) {
  Flags flags = flags_of(graph, targets);
  add_users(graph, flags);
  return sorted(graph, flags);
}

}  // namespace trainmake
