#include "engine/cli/lua_text.h"

#include <gtest/gtest.h>

#include "tests/engine/cli/small_graph.h"

namespace trainmake {
namespace {

TEST(LuaText, WhatIsPrintedLoadsAsTheSame) {
  const std::string trainfile = R"(job "j" {
  args = { dir = data_dir "x", list = { 1, 2.5, "a\"b\\c\n\1" } },
  params = { ["with space"] = true, ["end"] = -3, plain = 0.1, half = 1e300 },
  data = { "data:a", m = "job:k" },
  env = {},
}
data "d" { files = { glob { "a/**", "b", exclude = { "c" }, allow_empty = true }, "d" } }
)";
  const Project once = small_project(trainfile);
  ASSERT_TRUE(once.errors.empty()) << once.errors.front().message;
  std::string printed;
  for (const Declaration& declaration : once.declarations) printed += lua_text(declaration);
  const Project twice = small_project(printed);
  ASSERT_TRUE(twice.errors.empty()) << twice.errors.front().message << "\n" << printed;
  ASSERT_EQ(twice.declarations.size(), once.declarations.size());
  for (std::size_t i = 0; i < once.declarations.size(); ++i)
    EXPECT_EQ(twice.declarations[i].attributes, once.declarations[i].attributes) << printed;
}

}  // namespace
}  // namespace trainmake
