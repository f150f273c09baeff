#include "engine/cli/flags.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

CommandLine parsed(const std::vector<std::string>& words) {
  Result<CommandLine> line = parse_command_line(words);
  EXPECT_TRUE(line);
  return line ? *std::move(line) : CommandLine();
}

Error refused(const std::vector<std::string>& words) {
  const Result<CommandLine> line = parse_command_line(words);
  EXPECT_FALSE(line);
  return line ? Error() : line.error();
}

TEST(Flags, LabelsNeedNoCommand) {
  EXPECT_EQ(parsed({"job:a", "//b/...", "-k"}).command->name, "");
  EXPECT_EQ(parsed({"plan", "job:a"}).command->name, "plan");
  EXPECT_EQ(parsed({"plan", "job:a"}).words, std::vector<std::string>{"job:a"});
  EXPECT_EQ(parsed({}).command->name, "");
}

TEST(Flags, ValuesAreGivenInEveryCustomaryWay) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"job:a", "-j", "8"},
                                                {"job:a", "-j8"},
                                                {"job:a", "--jobs", "8"},
                                                {"--jobs=8", "job:a"},
                                                {"-kj8", "job:a"}}) {
    EXPECT_EQ(parsed(words).value("--jobs"), "8");
  }
  EXPECT_EQ(parsed({"job:a", "--trace="}).value("--trace"), "");
  EXPECT_EQ(parsed({"job:a"}).value("--jobs"), std::nullopt);
}

TEST(Flags, AfterTwoDashesAllAreWords) {
  EXPECT_EQ(parsed({"new", "--", "--name"}).words, std::vector<std::string>{"--name"});
}

TEST(Flags, WhatNobodyKnowsIsToldWithTheNearest) {
  EXPECT_EQ(refused({"job:a", "--froce"}).hint, "Did you mean `--force`?");
  EXPECT_EQ(refused({"paln", "job:a"}).hint, "Did you mean `plan`?");
  EXPECT_NE(refused({"zzzzzz"}).hint.find("trainmake help"), std::string::npos);
}

TEST(Flags, AFlagOfAnotherCommandIsRefused) {
  EXPECT_NE(refused({"runs", "--force"}).message.find("--force"), std::string::npos);
  EXPECT_NE(refused({"plan", "job:a", "--since", "x"}).message.find("--since"), std::string::npos);
}

TEST(Flags, ValuesAreCheckedForBeingThere) {
  EXPECT_NE(refused({"job:a", "--jobs"}).message.find("needs a value"), std::string::npos);
  EXPECT_NE(refused({"job:a", "--force=yes"}).message.find("takes no value"), std::string::npos);
}

// As of a variable of the shell that is not set.
TEST(Flags, AnEmptyNameIsToldAsThat) {
  EXPECT_EQ(refused({"run", "--local", "--contract", "", "job:a"}).message,
            "Flag `--contract` is given an empty word");
  EXPECT_EQ(refused({"--platform=", "job:a"}).message, "Flag `--platform` is given an empty word");
}

TEST(Flags, ANumberOfJobsIsCheckedWhateverStandsBesideIt) {
  EXPECT_EQ(refused({"-j", "job:a"}).hint, "As `trainmake -j N job:a`");
  for (const char* wrong : {"0", "-1", "1001", "1.5", "many", ""})
    EXPECT_NE(refused({"job:a", "-j", wrong}).message.find("whole number"), std::string::npos) << wrong;
  EXPECT_EQ(*jobs_of(parsed({"job:a", "-j", "8"})), 8U);
  EXPECT_EQ(*jobs_of(parsed({"job:a"})), std::nullopt);
}

TEST(Flags, WhatSaysHowToWorkNeedsALabel) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--force"}, {"--retry"}, {"-k"}, {"-n"}, {"-j", "4"}, {"--trace", "t"}}) {
    EXPECT_NE(refused(words).message.find("needs a label"), std::string::npos) << words.front();
  }
  EXPECT_TRUE(parse_command_line({"--json", "-C", "x"}));
  EXPECT_TRUE(parse_command_line({"--force", "--help"}));
}

TEST(Flags, EveryFlagThatACommandNamesIsThere) {
  for (const CommandSpec& command : all_commands()) {
    std::size_t named = 0;
    for (const char c : command.flags) named += c == ' ' ? 1U : 0U;
    if (!command.flags.empty()) ++named;
    EXPECT_EQ(flags_of(command).size(), named) << command.name;
  }
}

}  // namespace
}  // namespace trainmake
