#include "engine/base/mended_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/base/json.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

std::string read(std::string_view json) {
  const Json parsed = parse_json<Json>(mended_json(json));
  return parsed.is_string() ? parsed.get<std::string>() : "none";
}

TEST(MendedJson, WhatIsFineStays) {
  for (const char* json :
       {R"({"a":["\\ud83d","\ud83d\ude00","\u00e9",1.5,null]})", "{\n\t\"é\": \"😀\\\"\"\r\n}", "", "\"\\"})
    EXPECT_EQ(mended_json(json), json);
}

TEST(MendedJson, BytesThatAreNoUtf8AreReplaced) {
  EXPECT_EQ(read("\"\xE8\xAE\""), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(read("\"\xD1\xB5\xC1\xB7 on\""), "\xD1\xB5\xEF\xBF\xBD\xEF\xBF\xBD on");
  EXPECT_EQ(read("\"\xED\xA0\xBD.\""), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD.");
  EXPECT_EQ(read("\"a\xFF"), "none") << "the rest is not there";
}

TEST(MendedJson, HalfSurrogatePairsAreReplaced) {
  EXPECT_EQ(read(R"("half \ud83d")"), "half \xEF\xBF\xBD");
  EXPECT_EQ(read(R"("\ude00\ud83d\ud83d\ude00.")"), "\xEF\xBF\xBD\xEF\xBF\xBD\xF0\x9F\x98\x80.");
  EXPECT_EQ(read(R"("\\\ud83d")"), "\\\xEF\xBF\xBD");
}

TEST(MendedJson, ControlCharactersWithinStringsAreEscaped) {
  EXPECT_EQ(read("\"a\tb\x1b\n\""), "a\tb\x1b\n");
}

}  // namespace
}  // namespace trainmake
