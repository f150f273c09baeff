#include "lua/lexer.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace trainmake {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'; }

constexpr std::array<std::string_view, 10> kLongSymbols = {
    "...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>"};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (skip_blanks(), at_ < source_.size()) next();
    add(TokenKind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  void skip_blanks() {
    while (at_ < source_.size()) {
      if (is_blank(source_[at_])) {
        line_ += source_[at_++] == '\n' ? 1 : 0;
      } else if (peek() == '-' && peek(1) == '-') {
        skip_comment();
      } else {
        return;
      }
    }
  }

  void skip_comment() {
    at_ += 2;
    if (const std::size_t level = long_bracket(); level != 0) {
      take_long(level);
    } else {
      at_ = std::min(source_.find('\n', at_), source_.size());
    }
  }

  void next() {
    const char c = peek();
    if (const std::size_t level = long_bracket(); level != 0) {
      const int line = line_;
      const std::string_view text = take_long(level);
      add(TokenKind::kString, text, line);
    } else if (c == '"' || c == '\'') {
      const int line = line_;
      const std::string_view text = take_quoted(c);
      add(TokenKind::kString, text, line);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      add(TokenKind::kNumber, take_number());
    } else if (is_name(c)) {
      add(TokenKind::kName, take_while(is_name));
    } else {
      add(TokenKind::kSymbol, take_symbol());
    }
  }

  // 0 when no `[[` or `[=[` stands here; else the length of the bracket.
  std::size_t long_bracket() const {
    if (peek() != '[') return 0;
    std::size_t length = 1;
    while (peek(length) == '=') ++length;
    return peek(length) == '[' ? length + 1 : 0;
  }

  std::string_view take_long(std::size_t level) {
    std::string close(level, '=');
    close.front() = close.back() = ']';
    const std::size_t from = at_ + level;
    const std::size_t end = std::min(source_.find(close, from), source_.size());
    const std::string_view text = source_.substr(from, end - from);
    line_ += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    at_ = std::min(end + level, source_.size());
    return text;
  }

  std::string_view take_quoted(char quote) {
    const std::size_t from = ++at_;
    while (at_ < source_.size() && source_[at_] != quote) {
      if (source_[at_] == '\\' && at_ + 1 < source_.size()) ++at_;
      line_ += source_[at_++] == '\n' ? 1 : 0;
    }
    const std::string_view text = source_.substr(from, at_ - from);
    at_ = std::min(at_ + 1, source_.size());
    return text;
  }

  std::string_view take_number() {
    const std::size_t from = at_;
    while (is_name(peek()) || peek() == '.') {
      const bool exponent = peek() == 'e' || peek() == 'E' || peek() == 'p' || peek() == 'P';
      ++at_;
      if (exponent && (peek() == '+' || peek() == '-')) ++at_;
    }
    return source_.substr(from, at_ - from);
  }

  template <typename Fits>
  std::string_view take_while(Fits fits) {
    const std::size_t from = at_;
    while (at_ < source_.size() && fits(source_[at_])) ++at_;
    return source_.substr(from, at_ - from);
  }

  std::string_view take_symbol() {
    const std::string_view rest = source_.substr(at_);
    std::size_t length = 1;
    for (const std::string_view symbol : kLongSymbols) {
      if (rest.starts_with(symbol)) {
        length = symbol.size();
        break;
      }
    }
    at_ += length;
    return rest.substr(0, length);
  }

  void add(TokenKind kind, std::string_view text) { add(kind, text, line_); }
  void add(TokenKind kind, std::string_view text, int line) {
    tokens_.push_back({kind, line != last_line_, line, text});
    last_line_ = line;
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  int last_line_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> lex(std::string_view source) { return Lexer(source).run(); }

}  // namespace trainmake
