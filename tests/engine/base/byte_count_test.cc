#include "engine/base/byte_count.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

TEST(ByteCount, HasDecimalAndBinaryUnits) {
  EXPECT_EQ(parse_byte_count("800000"), 800'000U);
  EXPECT_EQ(parse_byte_count("7B"), 7U);
  EXPECT_EQ(parse_byte_count("2KB"), 2'000U);
  EXPECT_EQ(parse_byte_count("128MiB"), 128U << 20U);
  EXPECT_EQ(parse_byte_count("50 MB"), 50'000'000U);
  EXPECT_EQ(parse_byte_count("1TiB"), std::uint64_t{1} << 40U);
}

TEST(ByteCount, WhatIsNoneIsNone) {
  for (const char* text : {"", "0", "0MiB", "MiB", "-1", "1.5GB", "1XB", "1M", "1MiBs",
                           "99999999999999999999", "99999999999999TiB"})
    EXPECT_FALSE(parse_byte_count(text)) << text;
}

}  // namespace
}  // namespace trainmake
