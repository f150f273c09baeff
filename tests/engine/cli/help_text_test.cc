#include "engine/cli/help_text.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lua/globals.h"
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

TEST(Help, SaysWhatEachDistributionSets) {
  const auto found = std::find_if(
      help_documents().begin(), help_documents().end(),
      [](const HelpDocument& document) { return std::string(document.topic) == "distribution"; });
  ASSERT_NE(found, help_documents().end());
  for (const char* word : {"WORLD_SIZE", "TF_CONFIG", "--task_index", "DMLC_ROLE", "mpirun"})
    EXPECT_NE(std::string(found->text).find(word), std::string::npos) << word;
}

TEST(Help, NamesATopicOnce) {
  std::vector<std::string> topics = help_topics();
  std::sort(topics.begin(), topics.end());
  EXPECT_EQ(std::adjacent_find(topics.begin(), topics.end()), topics.end());
}

// A word of the language that the manual does not show has no help.
TEST(Help, ShowsOfTheManualWhatIsAskedFor) {
  const std::string manual =
      "# m\n### `env(\"X\")` · `glob \"p\"`\nOne.\n### `globe \"x\"`\nTwo.\n## More\nThree of `env `.\n";
  EXPECT_EQ(section_about(manual, "env"), "### `env(\"X\")` · `glob \"p\"`\nOne.\n");
  EXPECT_EQ(section_about(manual, "glob"), section_about(manual, "env"));
  EXPECT_EQ(section_about(manual, "globe"), "### `globe \"x\"`\nTwo.\n");
  EXPECT_EQ(section_about(manual, "nothing"), "");
  for (const HelpDocument& document : help_documents()) {
    if (document.topic != "trainfile") continue;
    for (const Global& global : globals())
      EXPECT_NE(section_about(document.text, global.name), "") << global.name;
  }
}

}  // namespace
}  // namespace trainmake
