#include "engine/cli/completion_text.h"

#include <gtest/gtest.h>

#include "engine/cli/flags.h"
#include "engine/cli/templates.h"

namespace trainmake {
namespace {

TEST(Completion, KnowsEveryCommandAndFlagInEveryShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_text(shell).value();
    for (const CommandSpec& command : all_commands())
      EXPECT_NE(script.find(command.name), std::string::npos) << shell << " " << command.name;
    for (const FlagSpec& flag : all_flags()) {
      const std::string_view name = std::string_view(shell) == "fish" ? flag.name.substr(2) : flag.name;
      EXPECT_NE(script.find(name), std::string::npos) << shell << " " << flag.name;
    }
    for (const char* mark : {"FLAG_CASES", "WORD_CASES", "FOLDER_FLAGS", "FILE_FLAGS", "VALUE_FLAGS",
                             "LABEL_COMMANDS", "COMMANDS", "VALUE_CASES", "SHARED", "LINES"}) {
      EXPECT_EQ(script.find(std::string("@") + mark + "@"), std::string::npos) << shell << " leaves " << mark;
    }
  }
}

TEST(Completion, OffersWhatAnImageCanDoBeforeItsLabels) {
  const std::string script = completion_text("bash").value();
  EXPECT_NE(script.find("'image') echo 'export load check'"), std::string::npos);
  EXPECT_NE(script.find("'image'|"), std::string::npos) << "among those that take labels";
}

TEST(Completion, OffersEveryTemplate) {
  EXPECT_GE(template_names().size(), 4U);
  EXPECT_EQ(template_names().front(), "basic");
  for (const char* shell : {"bash", "zsh", "fish"}) {
    for (const std::string& name : template_names())
      EXPECT_NE(completion_text(shell).value().find(name), std::string::npos) << shell << " " << name;
  }
  for (const FlagSpec& flag : all_flags()) {
    if (flag.name != "--template") continue;
    for (const std::string& name : template_names())
      EXPECT_NE(flag.doc.find(name), std::string::npos) << name;
  }
}

TEST(Completion, OffersValuesThatAreKnownBeforehand) {
  for (const char* shell : {"bash", "zsh"}) {
    const std::string script = completion_text(shell).value();
    EXPECT_NE(script.find("  --variant) printf '%s\\n' cpu gpu; return ;;"), std::string::npos) << shell;
    EXPECT_NE(script.find("  --dialect) printf '%s\\n' 2017; return ;;"), std::string::npos) << shell;
    EXPECT_NE(script.find("  --contract) _trainmake_ask contracts"), std::string::npos) << shell;
  }
  const std::string script = completion_text("fish").value();
  EXPECT_NE(script.find("-l dialect -x -a '2017'"), std::string::npos);
  EXPECT_NE(script.find("-l contract -x -a '(__trainmake_ask contracts)'"), std::string::npos);
}

TEST(Completion, KnowsNoOtherShell) { EXPECT_FALSE(completion_text("tcsh")); }

}  // namespace
}  // namespace trainmake
