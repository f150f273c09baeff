#include "engine/model/curve.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace trainmake {
namespace {

Curve thinned(int count) {
  ThinnedCurve curve;
  for (int i = 1; i <= count; ++i) curve.add({static_cast<double>(i), 1.0 / i});
  return curve.points();
}

TEST(Curve, AShortOneIsKeptWhole) {
  const Curve curve = thinned(512);
  ASSERT_EQ(curve.size(), 512U);
  EXPECT_EQ(curve.back().step, 512);
}

TEST(Curve, ALongOneKeepsItsEndsAndIsThinnedEvenly) {
  for (const int count : {513, 514, 1023, 1024, 1025, 100'000}) {
    const Curve curve = thinned(count);
    EXPECT_LE(curve.size(), ThinnedCurve::kMostPoints + 1) << count;
    EXPECT_GE(curve.size(), ThinnedCurve::kMostPoints / 2) << count;
    EXPECT_EQ(curve.front().step, 1);
    EXPECT_EQ(curve.back().step, count);
    const double stride = curve[1].step - curve[0].step;
    for (std::size_t i = 1; i + 1 < curve.size(); ++i)
      ASSERT_EQ(curve[i].step - curve[i - 1].step, stride) << count << " at " << i;
  }
}

TEST(Curve, IsReadBackAsItWas) {
  const Curve curve = {{1, 0.1}, {2.5, std::numeric_limits<double>::quiet_NaN()}, {1e9, -1e-300}};
  const auto read = curve_from_json(to_json(curve));
  ASSERT_TRUE(read && read->size() == 3);
  EXPECT_EQ((*read)[0].value, 0.1);
  EXPECT_TRUE(std::isnan((*read)[1].value));
  EXPECT_EQ((*read)[2].value, -1e-300);
  for (const char* damaged : {"", "{}", "[1]", "[[1]]", "[[null,1]]", "[[1,\"x\"]]"})
    EXPECT_FALSE(curve_from_json(damaged)) << damaged;
}

}  // namespace
}  // namespace trainmake
