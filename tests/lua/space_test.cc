// What a TRAINSPACE declares, and what a wrong one is told.
#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "tests/lua/scratch.h"

namespace trainmake {
namespace {

Space load_space_text(const std::string& text) {
  Scratch scratch;
  scratch.write(kTrainspace, text);
  return scratch.load_trainspace();
}

TEST(Space, WithoutItsFileIsEmptyAndRemembersThat) {
  const Space space = Scratch().load_trainspace();
  EXPECT_TRUE(no_errors(space.errors));
  EXPECT_TRUE(space.services.empty());
  ASSERT_EQ(space.looks.files.size(), 1U);
  EXPECT_FALSE(space.looks.files[0].stat.exists());
}

TEST(Space, NamesServicesAndDefaults) {
  const Space space = load_space_text(R"(
platform "uai" { type = "uai", endpoint = env("UAI", "http://127.0.0.1:1") }
store "bucket" { url = "s3://b/p" }
registry "hub" { url = "registry.example.com", insecure = true }
default_platform "uai"
default_store "bucket"
default_registry "hub"
)");
  ASSERT_TRUE(no_errors(space.errors));
  ASSERT_NE(space.find("platform", "uai"), nullptr);
  EXPECT_EQ(*space.find("platform", "uai")->text("endpoint"), "http://127.0.0.1:1");
  EXPECT_EQ(space.find("store", "bucket")->where.text(), "TRAINSPACE.lua:3");
  EXPECT_EQ(space.default_platform, "uai");
  EXPECT_EQ(space.default_store, "bucket");
  EXPECT_EQ(space.default_registry, "hub");
}

TEST(Space, TheLocalPlatformNeedsNoDeclaration) {
  const Space space = load_space_text("default_platform 'local'\n");
  EXPECT_TRUE(no_errors(space.errors));
  EXPECT_EQ(space.default_platform, "local");
}

TEST(Space, LimitsOfAllStoresAreAServiceWithoutAName) {
  const Space space = load_space_text("limits { requests = 64, bandwidth = '50MB' }\n");
  ASSERT_TRUE(no_errors(space.errors));
  ASSERT_NE(space.find("limits", ""), nullptr);
  EXPECT_EQ(*space.find("limits", "")->text("bandwidth"), "50MB");
  EXPECT_EQ(space.find("limits", "")->where.text(), "TRAINSPACE.lua:1");
}

TEST(Space, AWrongFileHasOneErrorAtItsLine) {
  const struct {
    const char* text;
    int line;
    const char* message;
    const char* hint;
  } cases[] = {
      {"store 'a' {}\n\nstore 'a' {}\n", 3, "`store:a` is declared twice: first at TRAINSPACE.lua:1", ""},
      {"store 'bucket' {}\ndefault_store 'buket'\n", 2,
       "`default_store` names `buket`, which is not declared", "Did you mean `bucket`?"},
      {"default_platform 'local'\ndefault_platform 'local'\n", 2, "first at TRAINSPACE.lua:1", ""},
      {"limits { requests = 1 }\nlimits {}\n", 2, "`limits` stands here twice: first at TRAINSPACE.lua:1",
       ""},
      {"limits 'x'\n", 1, "`limits` takes a table, not a string", "limits { requests"},
      {"default_store(7)\n", 1, "takes a name, not a number", ""},
      {"platform 'x' {\n  type = 7,\n}\n", 2,
       "Attribute `type` of `platform \"x\"` is wrong: expected a string, got a number", ""},
      {"\njob 'x' {}\n", 2, "`job` does not belong in TRAINSPACE.lua", "TRAINFILE.lua of a project"},
      {"glob 'x'\n", 1, "`glob` does not belong in TRAINSPACE.lua", ""},
      {"os.exit()\n", 1, "`os` is not available in TRAINSPACE.lua", ""},
      {"platfrom 'x' {}\n", 1, "no global `platfrom`", "Did you mean `platform`?"},
      {"platform 'x'\n", 1, "left without its table", ""},
      {"x = = 1\n", 1, "Unexpected symbol", ""},
  };
  for (const auto& wrong : cases) {
    const Space space = load_space_text(wrong.text);
    ASSERT_EQ(space.errors.size(), 1U) << wrong.text << no_errors(space.errors).message();
    EXPECT_EQ(space.errors[0].where, (Location{"TRAINSPACE.lua", wrong.line})) << wrong.text;
    EXPECT_TRUE(says(space.errors[0].message, wrong.message)) << wrong.text;
    EXPECT_TRUE(says(space.errors[0].hint, wrong.hint)) << wrong.text;
  }
}

}  // namespace
}  // namespace trainmake
