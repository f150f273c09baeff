#include "engine/base/letter_case.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

TEST(LetterCase, LettersOfAsciiAloneHaveALowerOne) {
  EXPECT_EQ(lower_case("AzZ@[\xc3\x84 9"), "azz@[\xc3\x84 9");
}

}  // namespace
}  // namespace trainmake
