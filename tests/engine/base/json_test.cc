#include "engine/base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace trainmake {
namespace {

std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(Json, WhatIsWholeIsRead) {
  EXPECT_EQ(parse_json<nlohmann::json>(R"({"a":[1,"]]"]})").dump(), R"({"a":[1,"]]"]})");
  EXPECT_TRUE(parse_json<nlohmann::json>(nested(kDeepestJson)).is_array());
}

TEST(Json, WhatIsDamagedIsDiscarded) {
  EXPECT_TRUE(parse_json<nlohmann::json>("{").is_discarded());
  EXPECT_TRUE(parse_json<nlohmann::json>("").is_discarded());
}

TEST(Json, WhatNestsTooDeepIsDiscarded) {
  EXPECT_TRUE(parse_json<nlohmann::json>(nested(kDeepestJson + 1)).is_discarded());
  EXPECT_TRUE(parse_json<nlohmann::json>(nested(1'000'000)).is_discarded());
  EXPECT_TRUE(parse_json<nlohmann::json>(std::string(1'000'000, '[')).is_discarded());
}

TEST(Json, BracketsInTextsAreNoLevels) {
  const std::string text = R"(["\"[[[\\",")" + std::string(1000, '[') + R"("])";
  EXPECT_TRUE(parse_json<nlohmann::json>(text).is_array());
}

}  // namespace
}  // namespace trainmake
