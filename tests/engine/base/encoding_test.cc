#include "engine/base/encoding.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

TEST(Encoding, Base64GivesBackWhatItTook) {
  for (const std::string text : {"", "a", "ab", "abc", "user:pass\xff word"})
    EXPECT_EQ(from_base64(base64_of(text)), text);
  EXPECT_EQ(base64_of("user:pass"), "dXNlcjpwYXNz");
}

TEST(Encoding, WhatIsNoBase64IsNotRead) {
  EXPECT_FALSE(from_base64("abc"));
  EXPECT_FALSE(from_base64("a!b="));
}

TEST(Encoding, PercentSignsStandForAllButPlainCharacters) {
  EXPECT_EQ(percent_encoded("a b/ü~"), "a%20b%2F%C3%BC~");
}

}  // namespace
}  // namespace trainmake
