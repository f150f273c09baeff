#include "lua/source_map.h"

#include <algorithm>

namespace trainmake {
namespace {

bool opens(const Token& token) {
  if (token.kind == TokenKind::kSymbol) return token.text == "(" || token.text == "{" || token.text == "[";
  return token.is_word("function") || token.is_word("if") || token.is_word("do") || token.is_word("repeat");
}

bool closes(const Token& token) {
  if (token.kind == TokenKind::kSymbol) return token.text == ")" || token.text == "}" || token.text == "]";
  return token.is_word("end") || token.is_word("until");
}

bool is_end(const Token& token) { return token.kind == TokenKind::kEnd; }
bool separates(const Token& token) { return token.is(",") || token.is(";"); }

// A string whose text is what stands between its quotes.
bool is_plain_string(const Token& token) {
  return token.kind == TokenKind::kString && token.text.find_first_of("\\\n") == std::string_view::npos;
}

// The token after the bracket that `at` opens, or the last one.
std::size_t after_bracket(const std::vector<Token>& tokens, std::size_t at) {
  int depth = 0;
  for (; !is_end(tokens[at]); ++at) {
    if (opens(tokens[at])) ++depth;
    if (closes(tokens[at]) && --depth == 0) return at + 1;
  }
  return at;
}

// The token that ends the value at `at`: a separator or the closing brace.
std::size_t after_value(const std::vector<Token>& tokens, std::size_t at) {
  while (!is_end(tokens[at]) && !separates(tokens[at]) && !closes(tokens[at])) {
    at = opens(tokens[at]) ? after_bracket(tokens, at) : at + 1;
  }
  return at;
}

TableLines read_table(const std::vector<Token>& tokens, std::size_t at);

ValueLine read_value(const std::vector<Token>& tokens, std::size_t at, std::size_t end, int line) {
  ValueLine value{line, nullptr};
  if (tokens[at].is("{") && after_bracket(tokens, at) == end) {
    value.table = std::make_unique<TableLines>(read_table(tokens, at));
  }
  return value;
}

// The name of `name =` or `["name"] =` at `at`, and where its value starts.
std::optional<std::pair<std::string_view, std::size_t>> field_name(const std::vector<Token>& tokens,
                                                                   std::size_t at) {
  if (tokens[at].kind == TokenKind::kName && tokens[at + 1].is("="))
    return std::pair(tokens[at].text, at + 2);
  if (!tokens[at].is("[")) return std::nullopt;
  const std::size_t after = after_bracket(tokens, at);
  if (!tokens[after].is("=")) return std::nullopt;
  const bool plain = is_plain_string(tokens[at + 1]) && after == at + 3;
  return std::pair(plain ? tokens[at + 1].text : std::string_view(), after + 1);
}

// REQUIRES: tokens[at] is `{`.
TableLines read_table(const std::vector<Token>& tokens, std::size_t at) {
  TableLines lines;
  ++at;
  while (!is_end(tokens[at]) && !tokens[at].is("}")) {
    const int line = tokens[at].line;
    const auto name = field_name(tokens, at);
    const std::size_t start = name ? name->second : at;
    const std::size_t end = after_value(tokens, start);
    if (!name) {
      lines.items.push_back(read_value(tokens, start, end, line));
    } else if (!name->first.empty()) {
      lines.fields.emplace_back(name->first, read_value(tokens, start, end, line));
    }
    if (!separates(tokens[end]) && !tokens[end].is("}")) break;
    at = separates(tokens[end]) ? end + 1 : end;
  }
  std::stable_sort(lines.fields.begin(), lines.fields.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return lines;
}

}  // namespace

const ValueLine* TableLines::field(std::string_view name) const {
  const auto found =
      std::lower_bound(fields.begin(), fields.end(), name,
                       [](const auto& field, std::string_view sought) { return field.first < sought; });
  return found == fields.end() || found->first != name ? nullptr : &found->second;
}

const ValueLine* TableLines::item(std::size_t index) const {
  return index < items.size() ? &items[index] : nullptr;
}

SourceMap::SourceMap(std::string_view source) : tokens_(lex(source)) {
  for (std::size_t at = 0; !is_end(tokens_[at]); ++at) {
    if (tokens_[at].kind != TokenKind::kName) continue;
    const Token& argument = tokens_[at + 1];
    std::size_t brace = 0;
    std::optional<std::string_view> name;
    if (argument.kind == TokenKind::kString) {
      brace = at + 2;
      if (is_plain_string(argument)) name = argument.text;
    } else if (argument.is("(")) {
      brace = after_bracket(tokens_, at + 1);
      if (brace == at + 4 && is_plain_string(tokens_[at + 2])) name = tokens_[at + 2].text;
    }
    if (brace == 0 || !tokens_[brace].is("{")) continue;
    sites_.push_back({tokens_[at].line, tokens_[at].text, name, read_table(tokens_, brace)});
  }
}

const TableLines* SourceMap::declaration(int line, std::string_view kind, std::string_view name) const {
  auto site =
      std::lower_bound(sites_.begin(), sites_.end(), line, [](const Site& a, int b) { return a.line < b; });
  for (; site != sites_.end() && site->line == line; ++site) {
    if (site->kind == kind && site->name.value_or(name) == name) return &site->table;
  }
  return nullptr;
}

std::size_t SourceMap::first_of(int line) const {
  const auto found = std::lower_bound(tokens_.begin(), tokens_.end(), line,
                                      [](const Token& a, int b) { return a.line < b; });
  return static_cast<std::size_t>(found - tokens_.begin());
}

std::optional<int> SourceMap::accidental_call(int line) const {
  for (std::size_t start = first_of(line); tokens_[start].line == line && !is_end(tokens_[start]); ++start) {
    if (tokens_[start].kind != TokenKind::kName) continue;
    std::size_t at = start + 1;
    while (!is_end(tokens_[at])) {
      const Token& token = tokens_[at];
      if (token.is("(") && token.starts_line) return token.line;
      if (token.is("(") || token.is("{") || token.is("[")) {
        at = after_bracket(tokens_, at);
      } else if (token.kind == TokenKind::kString) {
        ++at;
      } else if (token.is(".") || token.is(":")) {
        at += is_end(tokens_[at + 1]) ? 1 : 2;
      } else {
        break;
      }
    }
  }
  return std::nullopt;
}

}  // namespace trainmake
