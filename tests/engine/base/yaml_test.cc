// YAML as others write it.
#include "engine/base/yaml.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/text.h"

namespace trainmake {
namespace {

TEST(Yaml, IsReadAsJsonWhoseScalarsAreTexts) {
  EXPECT_EQ(parse_yaml("a: 1\nb:\n- x\n- {c: 'it''s', d: \"\\t\"}\n- |\n  two\n  lines\n").dump(),
            R"({"a":"1","b":["x",{"c":"it's","d":"\t"},"two\nlines\n"]})");
  EXPECT_EQ(parse_yaml("base: &b {x: y}\nalso: *b\n").dump(), R"({"also":{"x":"y"},"base":{"x":"y"}})");
}

TEST(Yaml, JsonIsYaml) {
  EXPECT_EQ(parse_yaml("{\n\t\"a\": [\"b\", 2, true, null],\n\t\"c\": {}\n}\n").dump(),
            R"({"a":["b","2","true","null"],"c":{}})");
}

TEST(Yaml, WhatIsNoneIsDiscarded) {
  for (const char* text : {"", "a: [", "a: *nothing\n", "\t- x", "a: b: c\n"})
    EXPECT_TRUE(parse_yaml(text).is_discarded()) << text;
}

TEST(Yaml, OneThatWouldGrowBeyondAllBoundsIsDiscarded) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    text += cat("a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) text += cat("*a", i - 1, j < 9 ? ", " : "]\n");
  }
  EXPECT_TRUE(parse_yaml(text).is_discarded());
  EXPECT_TRUE(parse_yaml("a: &a [*a]\n").is_discarded());
  EXPECT_TRUE(parse_yaml(std::string(200, '[') + std::string(200, ']')).is_discarded());
}

}  // namespace
}  // namespace trainmake
