#include "rules/job/platforms/uai/old/old_words.h"

#include <algorithm>

#include "engine/base/letter_case.h"
#include "engine/base/shell_words.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// The words behind the program, as they were typed where they can be told apart there.
std::string typed_behind(const std::string& program, std::string_view command,
                         const std::vector<std::string>& words) {
  const std::size_t at = command.find(program);
  const std::string_view typed = at == command.npos ? "" : trim(command.substr(at + program.size()));
  const auto same = shell_words(typed, {.keeps_patterns = true});
  const bool is_line = typed.find_first_of("\n\r") == typed.npos;
  return same && *same == words && is_line ? std::string(typed) : shell_line(words);
}

}  // namespace

bool is_credential(std::string_view name) {
  const std::string lower = lower_case(name);
  constexpr std::string_view kParts[] = {"key", "password", "passwd", "secret", "token"};
  return std::any_of(std::begin(kParts), std::end(kParts),
                     [&](std::string_view part) { return lower.find(part) != lower.npos; });
}

Result<void> take_docker_cmd(const std::string& command, OldProject& project) {
  bool has_variables = false;
  const auto keep = [&](std::string_view variable) {
    has_variables = true;
    return std::optional(cat("${", variable, "}"));
  };
  TRY_ASSIGN(std::vector<std::string> words,
             shell_words(command, {.variable = keep, .keeps_patterns = true}));
  if (!words.empty() && words.front() == "-u") words.erase(words.begin());
  if (words.empty()) return fail(user_error("The command names no program"));
  if (has_variables || words.front().starts_with('-')) {
    project.python_line = trim(command);
    return {};
  }
  project.main = words.front();
  words.erase(words.begin());
  project.train_params = typed_behind(project.main, command, words);
  return {};
}

}  // namespace trainmake
