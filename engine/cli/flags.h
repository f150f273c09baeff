// Commands and flags as data: parsing, help and completion read the same two tables. Parsed by hand, because
// labels may stand where other tools have subcommands, and every word that nobody knows deserves a
// did-you-mean.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace trainmake {

struct FlagSpec {
  std::string_view name;   // "--force"
  char letter;             // 'k' of -k; 0: none
  std::string_view value;  // "DIR" when it takes one, else ""
  std::string_view doc;
};

struct CommandSpec {
  std::string_view name;   // "" is `trainmake LABEL...`
  std::string_view words;  // what follows it: "LABEL..."
  std::string_view group;  // ask, do, look back, keep
  std::string_view doc;
  std::string_view flags;  // beside the common ones, separated by blanks
};

std::span<const FlagSpec> all_flags();
std::span<const CommandSpec> all_commands();
std::vector<const FlagSpec*> flags_of(const CommandSpec& command);
bool is_common(const FlagSpec& flag);

struct CommandLine {
  const CommandSpec* command = nullptr;
  std::vector<std::string> words;
  std::map<std::string, std::string, std::less<>> flags;  // by long name; a flag without a value has ""

  bool has(std::string_view flag) const { return flags.contains(flag); }
  std::optional<std::string> value(std::string_view flag) const;
};

// What --jobs says; an empty optional when it is not given. Of a parsed line it never fails.
Result<std::optional<unsigned>> jobs_of(const CommandLine& line);

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

}  // namespace trainmake
