#include "rules/image/registries/http/challenge.h"

#include "engine/base/letter_case.h"

namespace trainmake {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == ','; }

// Takes what stands before any of `ends`.
std::string_view take(std::string_view& text, std::string_view ends) {
  const std::string_view taken = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(taken.size());
  return taken;
}

// A quoted value, its quotes and backslashes away.
std::string take_quoted(std::string_view& text) {
  std::string value;
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
    value += text.front();
    text.remove_prefix(1);
  }
  if (!text.empty()) text.remove_prefix(1);
  return value;
}

}  // namespace

std::optional<Challenge> parse_challenge(std::string_view header) {
  Challenge challenge;
  challenge.scheme = lower_case(take(header, " \t"));
  if (challenge.scheme.empty()) return std::nullopt;
  while (true) {
    while (!header.empty() && is_blank(header.front())) header.remove_prefix(1);
    const std::string name = lower_case(take(header, "=, \t"));
    if (name.empty() || header.empty() || header.front() != '=') return challenge;
    header.remove_prefix(1);
    std::string value =
        !header.empty() && header.front() == '"' ? take_quoted(header) : std::string(take(header, ", \t"));
    challenge.parameters.emplace(name, std::move(value));
  }
}

}  // namespace trainmake
