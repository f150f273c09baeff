#include "engine/cli/help_text.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/all.h"

namespace trainmake {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;  // what is typed, what it does

constexpr std::size_t kMostColumns = 28;  // a wider left side has a line of its own

std::string table(const Rows& rows) {
  std::size_t width = 0;
  for (const auto& [left, right] : rows) {
    if (left.size() <= kMostColumns) width = std::max(width, left.size());
  }
  std::string text;
  for (const auto& [left, right] : rows) {
    const bool fits = left.size() <= width;
    text += cat("  ", left,
                fits ? std::string(width - left.size() + 2, ' ') : cat("\n  ", std::string(width + 2, ' ')),
                right, "\n");
  }
  return text;
}

std::string typed(const FlagSpec& flag) {
  std::string text = flag.letter != 0 ? cat("-", flag.letter, ", ") : std::string("    ");
  text += flag.name;
  if (!flag.value.empty()) text += cat(" ", flag.value);
  return text;
}

Rows rows_of(const std::vector<const FlagSpec*>& flags) {
  Rows rows;
  for (const FlagSpec* flag : flags) rows.emplace_back(typed(*flag), flag->doc);
  return rows;
}

std::vector<const FlagSpec*> common_flags() {
  std::vector<const FlagSpec*> flags;
  for (const FlagSpec& flag : all_flags()) {
    if (is_common(flag)) flags.push_back(&flag);
  }
  return flags;
}

std::string typed(const CommandSpec& command) {
  std::string text = "trainmake";
  if (!command.name.empty()) text += cat(" ", command.name);
  if (!command.words.empty()) text += cat(" ", command.words);
  return text;
}

std::string section(std::string_view title, const Rows& rows) {
  return rows.empty() ? std::string() : cat("\n", title, "\n", table(rows));
}

Rows commands_of(std::string_view group) {
  Rows rows;
  for (const CommandSpec& command : all_commands()) {
    if (command.group != group || command.name.empty()) continue;
    rows.emplace_back(cat(command.name, command.words.empty() ? "" : " ", command.words), command.doc);
  }
  return rows;
}

}  // namespace

std::vector<std::string> help_topics() {
  std::vector<std::string> topics;
  for (const Schema* schema : all_schemas()) topics.push_back(schema->kind);
  for (const HelpDocument& document : help_documents()) {
    if (std::find(topics.begin(), topics.end(), document.topic) == topics.end())
      topics.emplace_back(document.topic);
  }
  return topics;
}

std::string overview_text(const std::vector<std::string>& topics) {
  const CommandSpec& build = all_commands().front();
  CHECK(build.name.empty());
  std::string text = cat(typed(build), "\n  ", build.doc, "\n");
  text += section("Ask", commands_of("ask"));
  text += section("Do", commands_of("do"));
  text += section("Look back", commands_of("look back"));
  text += section("Keep", commands_of("keep"));
  text += section("Flags of a run", rows_of(flags_of(build)));
  text += section("Flags of every command", rows_of(common_flags()));
  return cat(text, "\n`trainmake help COMMAND` says more of a command. Other topics: ", join(topics, ", "),
             "\n");
}

std::string help_text(const CommandSpec& command) {
  std::string text = cat(typed(command), "\n  ", command.doc, "\n");
  text += section("Flags", rows_of(flags_of(command)));
  return text + section("Flags of every command", rows_of(common_flags()));
}

std::string help_text(const Schema& schema) {
  std::string text = cat(schema.kind, " \"NAME\" { ... }\n  ", schema.doc, "\n\nAttributes\n");
  std::size_t width = 0;
  for (const Attribute& attribute : schema.attributes) width = std::max(width, attribute.name.size());
  for (const Attribute& attribute : schema.attributes) {
    const std::string margin(width + 4, ' ');
    text += cat("  ", attribute.name, std::string(width - attribute.name.size() + 2, ' '), attribute.doc,
                "\n", margin, expected(attribute), attribute.required ? "; required" : "",
                attribute.effect == Effect::kNone ? "; a change runs nothing" : "", "\n");
  }
  return text;
}

std::string section_about(std::string_view manual, std::string_view word) {
  const std::string shown = cat("`", word);
  std::string section;
  bool inside = false;
  for (const std::string_view line : split(manual, '\n')) {
    if (line.starts_with("#")) {
      const std::size_t end = line.starts_with("### ") ? line.find(shown) + shown.size() : line.npos;
      inside = end < line.size() && end >= shown.size() && (line[end] == ' ' || line[end] == '(');
    }
    if (inside) section += cat(line, "\n");
  }
  return section;
}

}  // namespace trainmake
