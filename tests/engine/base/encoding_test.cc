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

TEST(Encoding, WhatPercentSignsStandForIsRead) {
  EXPECT_EQ(percent_decoded("a%20b%2f%C3%BC~+%00"), std::string("a b/ü~+\0", 9));
  EXPECT_EQ(percent_decoded("100%, %4, %zz, %-1, %"), "100%, %4, %zz, %-1, %");
}

}  // namespace
}  // namespace trainmake
