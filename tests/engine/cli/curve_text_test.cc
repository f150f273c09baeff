#include "engine/cli/curve_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/text.h"

namespace trainmake {
namespace {

TEST(CurveText, DrawsALineBetweenItsPoints) {
  EXPECT_EQ(curve_text({{1, 1}, {2, 0.5}, {5, 0}}, 24),
            "1 |*\n"
            "  | **\n"
            "  |   *\n"
            "  |    **\n"
            "  |      ****\n"
            "  |          ****\n"
            "  |              ****\n"
            "0 |                  ***\n"
            "   1                   5\n");
}

TEST(CurveText, IsNeverWiderThanItMayBe) {
  Curve curve;
  for (int i = 0; i < 5000; ++i) curve.push_back({i * 1.0, std::sin(i / 100.0)});
  for (const std::size_t width : {20U, 40U, 80U, 300U}) {
    for (const std::string& line : split(curve_text(curve, width), '\n'))
      EXPECT_LE(line.size(), width) << line;
  }
}

TEST(CurveText, NothingIsDrawnOfLessThanTwoNumbers) {
  constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(curve_text({}, 80), "");
  EXPECT_EQ(curve_text({{1, 1}, {2, kNoNumber}, {3, std::numeric_limits<double>::infinity()}}, 80), "");
}

TEST(CurveText, OneThatStaysIsOneLine) {
  EXPECT_EQ(curve_text({{1, 0.5}, {2, 0.5}}, 18), "0.5 |*************\n     1           2\n");
}

TEST(CurveText, OneThatCountsAgainIsDrawnAsItWasTold) {
  const std::string text = curve_text({{1, 1}, {2, 0.5}, {1, 0.75}, {2, 0.25}}, 40);
  EXPECT_TRUE(text.ends_with("4\n")) << text;
}

}  // namespace
}  // namespace trainmake
