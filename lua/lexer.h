// Cuts Lua source into tokens with their lines. Only for telling people where something stands: Lua itself
// decides what the text means, so odd input gives odd tokens and never an error.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace trainmake {

enum class TokenKind : std::uint8_t { kName, kString, kNumber, kSymbol, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  bool starts_line = false;  // the first token of its line
  int line = 0;
  std::string_view text;  // of a string: what stands between its quotes, escapes as they are written

  bool is(std::string_view symbol) const { return kind == TokenKind::kSymbol && text == symbol; }
  bool is_word(std::string_view word) const { return kind == TokenKind::kName && text == word; }
};

// Views into `source`; the last one is kEnd.
std::vector<Token> lex(std::string_view source);

}  // namespace trainmake
