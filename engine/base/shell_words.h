// A text as a shell splits it into words: blanks, quotation marks and backslashes. What a shell would do
// beyond that (variables, patterns, other commands) is refused or stays as it is, and never done. And the way
// back. Pure.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace trainmake {

struct ShellReading {
  // What `$name` and `${expression}` stand for, by what follows the `$`, without braces; without: refused.
  std::function<std::optional<std::string>(std::string_view expression)> variable = nullptr;
  bool comments = false;  // a `#` in front of a word ends the text
  // `*`, `?` and `[` stand for themselves, as where no file has a name of that pattern.
  bool keeps_patterns = false;
  bool keeps_blanks_to_fill = false;  // `<YOUR_KEY>`, as manuals have it, is a word
};

// Errors never show the text: it may hold a secret.
Result<std::vector<std::string>> shell_words(std::string_view text, const ShellReading& reading = {});

// What a shell runs one after the other, cut at `;`, `&&` and the ends of lines, none of it read further. A
// line that begins with `-` goes on with the one above.
std::vector<std::string> shell_commands(std::string_view text);

// The line that a shell splits into these very words, whatever bytes they have: to be run, not to be shown
// (shell_word of text.h is for people).
std::string shell_line(std::span<const std::string> words);
std::string shell_line(std::string_view word);

}  // namespace trainmake
