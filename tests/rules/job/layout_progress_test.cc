#include "rules/job/layout_progress.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace trainmake {
namespace {

TEST(LayoutProgress, TellsEverySomeSecondsHowFarItIs) {
  FakeClock clock;
  std::vector<std::string> told;
  LayoutProgress progress(clock, {{}, [&](std::string text) { told.push_back(std::move(text)); }});
  progress.expect(3072);
  progress.expect(1024);
  const Copying copying = progress.copying();
  copying.copied(512);
  EXPECT_EQ(told, std::vector<std::string>()) << "what is quick";
  for (int second = 0; second < 12; ++second) {
    clock.advance(std::chrono::seconds(1));
    copying.copied(256);
  }
  EXPECT_EQ(told, (std::vector<std::string>{"Copying its files: 1.8 KiB of 4.0 KiB",
                                            "Copying its files: 3.0 KiB of 4.0 KiB"}));
}

TEST(LayoutProgress, IsSilentWhereNobodyListens) {
  FakeClock clock;
  LayoutProgress progress(clock, {});
  clock.advance(std::chrono::minutes(1));
  progress.copied(1);
}

}  // namespace
}  // namespace trainmake
