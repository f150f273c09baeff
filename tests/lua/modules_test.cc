// Global tables that rooms bring.
#include <gtest/gtest.h>

#include "tests/lua/scratch.h"

namespace trainmake {
namespace {

Project load_with(const std::string& trainfile, const char* text = "cloud = { size = 3 }") {
  Scratch scratch(trainfile);
  scratch.options.modules = {{"cloud", text}};
  return scratch.load();
}

TEST(Modules, AreThereWhenTheyAreFirstRead) {
  const Project project = load_with("job 'x' { n = cloud.size, same = cloud == cloud }");
  ASSERT_TRUE(no_errors(project.errors));
  const Table& found = project.declarations.front().attributes;
  EXPECT_EQ(scalar_text(*found.find("n")), "3");
  EXPECT_EQ(scalar_text(*found.find("same")), "true");
}

TEST(Modules, AreNotRunForAFileThatReadsNone) {
  EXPECT_TRUE(no_errors(load_with("job 'x' { n = 1 }", "error('run')").errors));
}

TEST(Modules, AnErrorOfTheirsStandsWhereTheyWereCalled) {
  const Project project =
      load_with("job 'x' {\n  n = cloud.of('y') }", "cloud = { of = function() error('No', 2) end }");
  ASSERT_EQ(project.errors.size(), 1U);
  EXPECT_EQ(project.errors.front().where.text(), "TRAINFILE.lua:2");
  EXPECT_TRUE(says(project.errors.front().message, "No"));
}

TEST(Modules, ANameLikeTheirsIsMeantAsTheirs) {
  const Project project = load_with("job 'x' { n = clod.size }");
  ASSERT_EQ(project.errors.size(), 1U);
  EXPECT_TRUE(says(project.errors.front().hint, "cloud"));
}

}  // namespace
}  // namespace trainmake
