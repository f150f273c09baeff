// What may be asked of a graph: labels and patterns, deps(E), rdeps(E), kind(K, E), attr(NAME, VALUE, E), and
// E - E, E & E, E + E, which bind alike, from the left. Pure: knows no files and no workspace; what a word
// means is the caller's.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/graph.h"

namespace trainmake {

struct Expression {
  enum class Operation : std::uint8_t { kPattern, kDeps, kRdeps, kKind, kAttr, kWithout, kBoth, kEither };
  Operation operation = Operation::kPattern;
  Pattern pattern;                // of kPattern
  std::string name;               // of kKind: the kind; of kAttr: the attribute, as `params.lr`
  std::string value;              // of kAttr
  std::vector<Expression> parts;  // one of a function, two of an operator
};

using WordParser = std::function<Result<Pattern>(const std::string& word)>;
Result<Expression> parse_expression(std::string_view text, const WordParser& parse_word);

// What has to be loaded to evaluate it.
std::vector<Pattern> patterns_of(const Expression& expression);
bool looks_at_everything(const Expression& expression);  // rdeps: who needs it may stand anywhere

// Sorted by label.
std::vector<TargetId> evaluate(const Expression& expression, const Graph& graph);
std::vector<TargetId> with_needs(const Graph& graph, const std::vector<TargetId>& targets);
std::vector<TargetId> with_users(const Graph& graph, const std::vector<TargetId>& targets);

}  // namespace trainmake
