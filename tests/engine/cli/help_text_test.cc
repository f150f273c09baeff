#include "engine/cli/help_text.h"

#include <gtest/gtest.h>

#include "rules/all.h"
#include "tests/support/golden.h"

namespace trainmake {
namespace {

TEST(Help, OverviewReadsWell) { expect_golden("help.txt", overview_text({"code", "data", "image", "job"})); }

TEST(Help, CommandReadsWell) {
  for (const CommandSpec& command : all_commands()) {
    if (command.name == "plan") expect_golden("help-plan.txt", help_text(command));
  }
}

TEST(Help, KindReadsWell) {
  for (const Schema* schema : all_schemas()) {
    if (schema->kind == "code") expect_golden("help-code.txt", help_text(*schema));
  }
}

TEST(Help, SaysAllAttributesOfEveryKind) {
  for (const Schema* schema : all_schemas()) {
    for (const Attribute& attribute : schema->attributes)
      EXPECT_NE(help_text(*schema).find("\n  " + attribute.name + " "), std::string::npos) << attribute.name;
  }
}

TEST(Help, HasTheDocumentsOfRooms) {
  for (const HelpDocument& document : help_documents()) {
    EXPECT_FALSE(document.topic.empty());
    EXPECT_FALSE(std::string(document.text).empty()) << document.topic;
  }
}

}  // namespace
}  // namespace trainmake
