// `help [TOPIC]` and `--help`.
#include <nlohmann/json.hpp>

#include "engine/base/letter_case.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/help_text.h"
#include "lua/globals.h"
#include "rules/all.h"

namespace trainmake {
namespace {

void write_help(const CommandLine& line, const std::string& topic, const std::string& text) {
  if (!line.has("--json")) return write_stdout(text);
  const nlohmann::ordered_json json = {{"topic", topic.empty() ? nullptr : nlohmann::ordered_json(topic)},
                                       {"text", text}};
  write_stdout(json.dump() + "\n");
}

std::optional<std::string> find_help(std::string_view topic) {
  std::string text;  // `image` is a command and a kind of target
  for (const CommandSpec& command : all_commands()) {
    if (command.name == topic) text = help_text(command);
  }
  bool is_kind = false;
  for (const Schema* schema : all_schemas()) {
    if (schema->kind != topic) continue;
    text += cat(text.empty() ? "" : "\n", help_text(*schema));
    is_kind = true;
  }
  if (is_kind) return text;
  // Stores and registries have a room `http`; `uai` is a command and a platform.
  for (const HelpDocument& document : help_documents()) {
    if (document.topic == topic) text += cat(text.empty() ? "" : "\n", document.text);
  }
  if (!text.empty()) return text;
  for (const HelpDocument& document : help_documents()) {
    if (std::string section = section_about(document.text, topic); !section.empty()) return section;
  }
  return std::nullopt;
}

}  // namespace

Result<int> help_command(const CommandLine& line) {
  const bool asks_for_topic = line.command->name == "help" && !line.words.empty();
  const std::string topic =
      lower_case(asks_for_topic ? std::string_view(line.words.front()) : line.command->name);
  if (topic == "help" || topic.empty()) {
    write_help(line, "", overview_text(help_topics()));
    return 0;
  }
  const std::optional<std::string> text = find_help(topic);
  if (!text) {
    std::vector<std::string> names = help_topics();
    for (const CommandSpec& command : all_commands()) names.emplace_back(command.name);
    for (const Global& global : globals()) names.push_back(global.name);
    const std::string meant = did_you_mean(topic, names);
    return fail(
        user_error(cat("There is no help for ", quoted(topic)),
                   meant.empty() ? std::string("`trainmake help` lists commands and topics") : meant));
  }
  write_help(line, topic, *text);
  return 0;
}

}  // namespace trainmake
