// What `help` says, from the tables of commands and flags, the schemas of kinds, and the documents of rooms.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/cli/flags.h"
#include "engine/model/schema.h"

namespace trainmake {

// A document that is a topic: a room's README, or the language manual. CMakeLists.txt lists them.
struct HelpDocument {
  std::string_view topic;
  const char* text;
};
const std::vector<HelpDocument>& help_documents();

std::vector<std::string> help_topics();  // beside the commands

std::string overview_text(const std::vector<std::string>& topics);
std::string help_text(const CommandSpec& command);
std::string help_text(const Schema& schema);
// The part of the manual under the heading that shows `word`, as "### `env("NAME", default)`" shows env;
// empty when none does.
std::string section_about(std::string_view manual, std::string_view word);

}  // namespace trainmake
