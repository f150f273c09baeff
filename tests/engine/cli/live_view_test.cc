#include "engine/cli/live_view.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

Label job(const std::string& name) { return {"", "job", name}; }

TEST(LiveView, ShowsWhatRunsAndHowLong) {
  LiveView view("", false);
  EXPECT_EQ(view.note(StepStarted{job("a"), {}}, kSecond), "");
  const std::vector<std::string> lines = view.block(80, 13 * kSecond);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "job:a             12 s");
  EXPECT_EQ(lines[1], "0 done, 1 running, 12 s");
}

TEST(LiveView, LeavesALineForWhatEnded) {
  LiveView view("", false);
  view.note(StepStarted{job("a"), {}}, kSecond);
  EXPECT_EQ(view.note(StepEnded{job("a"), Outcome::kRan, "1 layer", 2100}, 3 * kSecond),
            "job:a             done: 1 layer, 2.1 s\n");
  EXPECT_EQ(view.note(StepEnded{job("b"), Outcome::kUpToDate, "", 0}, 3 * kSecond), "");
  EXPECT_TRUE(view.block(80, 4 * kSecond).empty()) << "nothing runs, nothing is shown";
}

TEST(LiveView, TellsProgressWithItsRate) {
  LiveView view("", false);
  view.note(StepStarted{job("a"), {}}, kSecond);
  view.note(Progress{job("a"), "uploading", 0, 4U << 20U, true}, kSecond);
  view.note(Progress{job("a"), "uploading", 2U << 20U, 4U << 20U, true}, 2 * kSecond);
  EXPECT_EQ(view.block(80, 3 * kSecond)[0], "job:a             uploading 2.0 MiB of 4.0 MiB, 1.0 MiB/s, 2 s");
  view.note(Progress{job("a"), "hashing", 7, 0, false}, 3 * kSecond);
  EXPECT_EQ(view.block(80, 3 * kSecond)[0], "job:a             hashing 7, 2 s");
}

TEST(LiveView, IsTenLinesHighAtMost) {
  LiveView view("", false);
  for (int i = 0; i < 30; ++i) view.note(StepStarted{job(cat("j", i)), {}}, kSecond);
  const std::vector<std::string> lines = view.block(80, kSecond);
  ASSERT_EQ(lines.size(), LiveView::kMostLines);
  EXPECT_EQ(lines[8], "and 22 more");
}

TEST(LiveView, FitsTheTerminal) {
  LiveView view("", false);
  view.note(StepStarted{job(std::string(200, 'x')), {}}, kSecond);
  for (const std::string& line : view.block(20, kSecond))
    EXPECT_LE(line.size(), 20U + 2) << "`…` is three bytes in one column";
}

TEST(LiveView, LogLinesAndErrorsScrollBy) {
  LiveView view("", false);
  EXPECT_EQ(view.note(LogLine{job("a"), "loss=\x1b[31m1"}, kSecond), "job:a             | loss=\\x1b[31m1\n");
  EXPECT_EQ(view.note(Problem{user_error("No"), job("a")}, kSecond), "error: No\n");
  EXPECT_EQ(view.note(Message{{}, "a remark"}, kSecond), "a remark\n");
}

TEST(LiveView, HasColourOnlyWhenAsked) {
  for (const bool colour : {false, true}) {
    LiveView view("", colour);
    std::string text = view.note(StepStarted{job("a"), {}}, kSecond);
    text +=
        view.note(LogLine{job("a"), "x"}, kSecond) + view.note(Problem{user_error("No"), job("a")}, kSecond);
    text += join(view.block(80, kSecond), "\n");
    EXPECT_EQ(text.find('\x1b') != std::string::npos, colour);
  }
}

TEST(LiveView, CutsAtColumnsAndNotAtBytes) {
  EXPECT_EQ(fit_columns("abc", 3), "abc");
  EXPECT_EQ(fit_columns("abcd", 3), "ab…");
  EXPECT_EQ(fit_columns("äöüß", 3), "äö…");
  EXPECT_EQ(fit_columns("日本語", 6), "日本語");
  EXPECT_EQ(fit_columns("日本語", 5), "日本…");
  EXPECT_EQ(fit_columns("日本語", 4), "日…");
  EXPECT_EQ(fit_columns("abc", 0), "");
}

}  // namespace
}  // namespace trainmake
