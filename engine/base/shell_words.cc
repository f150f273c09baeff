#include "engine/base/shell_words.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kBlanks = " \t\n\r";
constexpr std::string_view kOperators = ";&|<>()`";  // outside of quotation marks
constexpr std::string_view kPatterns = "*?[";

bool is_in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

struct Splitter {
  std::string_view text;
  const ShellReading& reading;
  std::size_t at = 0;
  std::vector<std::string> words = {};
  std::optional<std::string> word = {};  // the one that has begun

  bool ended() const { return at == text.size(); }
  void add(std::string_view part) { word = word.value_or("") + std::string(part); }

  void end_word() {
    if (word) words.push_back(*std::move(word));
    word.reset();
  }

  static Failure replaced(char c) {
    return fail(user_error(cat("A shell would not leave ", quoted(std::string_view(&c, 1)), " as it stands"),
                           cat("Write `'", std::string_view(&c, 1), "'` where it means itself")));
  }
  static Failure unclosed(char mark) {
    return fail(user_error(cat("A ", quoted(std::string_view(&mark, 1)), " is not closed")));
  }

  // A backslash in front of the end of a line joins it with the next.
  Result<void> backslash() {
    if (++at == text.size()) return fail(user_error("There is nothing behind a `\\`"));
    const char c = text[at++];
    if (c != '\n') add({&c, 1});
    return {};
  }

  Result<void> single_quoted() {
    const std::size_t end = text.find('\'', ++at);
    if (end == text.npos) return unclosed('\'');
    add(text.substr(at, end - at));
    at = end + 1;
    return {};
  }

  Result<void> double_quoted() {
    ++at;
    add("");
    while (!ended() && text[at] != '"') {
      const char c = text[at];
      if (c == '`') return replaced(c);
      if (c == '$') {
        TRY(variable());
      } else if (c == '\\' && at + 1 < text.size() &&
                 std::string_view("$`\"\\\n").find(text[at + 1]) != std::string_view::npos) {
        TRY(backslash());
      } else {
        add({&c, 1});
        ++at;
      }
    }
    if (ended()) return unclosed('"');
    ++at;
    return {};
  }

  // REQUIRES: it stands at a `$`.
  Result<void> variable() {
    const std::size_t begin = at + 1;
    std::string_view expression;
    if (begin < text.size() && text[begin] == '{') {
      const std::size_t end = text.find('}', begin);
      if (end == text.npos) return unclosed('{');
      expression = text.substr(begin + 1, end - begin - 1);
      at = end + 1;
    } else {
      const auto end =
          std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), is_in_name);
      at = static_cast<std::size_t>(end - text.begin());
      expression = text.substr(begin, at - begin);
    }
    const std::optional<std::string> value =
        reading.variable && !expression.empty() ? reading.variable(expression) : std::nullopt;
    if (!value) return replaced('$');
    add(*value);
    return {};
  }

  // The `<NAME>` that it stands at; "" when it stands at none.
  std::string_view blank_to_fill() const {
    const auto begin = text.begin() + static_cast<std::ptrdiff_t>(at) + 1;
    const auto end = std::find_if_not(begin, text.end(), [](char c) { return is_in_name(c) || c == '-'; });
    if (end == begin || end == text.end() || *end != '>') return "";
    return text.substr(at, static_cast<std::size_t>(end - begin) + 2);
  }

  bool is_replaced(char c) const {
    return kOperators.find(c) != kOperators.npos ||
           (!reading.keeps_patterns && kPatterns.find(c) != kPatterns.npos) ||
           (!word && (c == '#' || c == '~'));
  }

  Result<void> next() {
    const char c = text[at];
    if (kBlanks.find(c) != kBlanks.npos) {
      end_word();
      ++at;
      return {};
    }
    if (c == '\'') return single_quoted();
    if (c == '"') return double_quoted();
    if (c == '\\') return backslash();
    if (c == '$') return variable();
    if (!word && c == '#' && reading.comments) {
      at = text.size();
      return {};
    }
    if (const std::string_view blank = c == '<' ? blank_to_fill() : "";
        reading.keeps_blanks_to_fill && !blank.empty()) {
      add(blank);
      at += blank.size();
      return {};
    }
    if (is_replaced(c)) return replaced(c);
    add({&c, 1});
    ++at;
    return {};
  }
};

}  // namespace

Result<std::vector<std::string>> shell_words(std::string_view text, const ShellReading& reading) {
  Splitter splitter{text, reading};
  while (!splitter.ended()) TRY(splitter.next());
  splitter.end_word();
  return std::move(splitter.words);
}

std::vector<std::string> shell_commands(std::string_view text) {
  std::vector<std::string> commands(1);
  const auto goes_on = [&](std::size_t from) {
    const std::size_t next = text.find_first_not_of(kBlanks, from);
    return next != text.npos && text[next] == '-';
  };
  char mark = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\' && mark != '\'' && at + 1 < text.size()) {
      commands.back() += text.substr(at++, 2);
    } else if (mark == 0 && (c == ';' || text.substr(at, 2) == "&&" || (c == '\n' && !goes_on(at)))) {
      if (c == '&') ++at;
      commands.emplace_back();
    } else {
      if (mark == c)
        mark = 0;
      else if (mark == 0 && (c == '\'' || c == '"'))
        mark = c;
      commands.back() += c;
    }
  }
  std::erase_if(commands, [](const std::string& command) { return trim(command).empty(); });
  return commands;
}

std::string shell_line(std::string_view word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return is_in_name(c) || std::string_view("./+=@%,:-").find(c) != std::string_view::npos;
  });
  if (plain) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string shell_line(std::span<const std::string> words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    line += shell_line(word);
  }
  return line;
}

}  // namespace trainmake
