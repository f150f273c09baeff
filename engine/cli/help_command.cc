// `help [TOPIC]` and `--help`.
#include <algorithm>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/help_text.h"
#include "rules/all.h"

namespace trainmake {
namespace {

std::vector<std::string> topics_beside_commands() {
  std::vector<std::string> topics;
  for (const Schema* schema : all_schemas()) topics.push_back(schema->kind);
  for (const HelpDocument& document : help_documents()) topics.emplace_back(document.topic);
  return topics;
}

std::optional<std::string> find_help(std::string_view topic) {
  for (const CommandSpec& command : all_commands()) {
    if (command.name == topic) return help_text(command);
  }
  for (const Schema* schema : all_schemas()) {
    if (schema->kind == topic) return help_text(*schema);
  }
  for (const HelpDocument& document : help_documents()) {
    if (document.topic == topic) return std::string(document.text);
  }
  return std::nullopt;
}

}  // namespace

Result<int> help_command(const CommandLine& line) {
  const bool asks_for_topic = line.command->name == "help" && !line.words.empty();
  std::string topic(asks_for_topic ? line.words.front() : line.command->name);
  if (topic == "help" || topic.empty()) {
    write_stdout(overview_text(topics_beside_commands()));
    return 0;
  }
  std::transform(topic.begin(), topic.end(), topic.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const std::optional<std::string> text = find_help(topic);
  if (!text) {
    std::vector<std::string> names = topics_beside_commands();
    for (const CommandSpec& command : all_commands()) names.emplace_back(command.name);
    const std::string meant = did_you_mean(topic, names);
    return fail(
        user_error(cat("There is no help for ", quoted(topic)),
                   meant.empty() ? std::string("`trainmake help` lists commands and topics") : meant));
  }
  write_stdout(*text);
  return 0;
}

}  // namespace trainmake
