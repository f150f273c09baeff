#include "engine/base/remove_old.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

constexpr std::int64_t kHour_ns = std::int64_t{3600} * 1'000'000'000;

TEST(RemoveOld, TakesWhatNobodyWroteToForAnHour) {
  MemFileSystem files;
  FakeClock clock;
  files.now_ns = FakeClock::kStart - 2 * kHour_ns;
  for (const char* path : {"/w/.part-1/file", "/w/.part-2/file", "/w/list"}) files.put(path, "x");
  files.now_ns = FakeClock::kStart - kHour_ns / 2;
  files.put("/w/.part-2/file", "xx");
  remove_old(files, clock, "/w", ".part-");
  EXPECT_FALSE(files.has("/w/.part-1"));
  EXPECT_TRUE(files.has("/w/.part-2/file")) << "somebody writes to it, whatever its folder says";
  EXPECT_TRUE(files.has("/w/list"));
  remove_old(files, clock, "/nowhere", "");
}

TEST(RemoveOld, GoesByTheTimeThatItIsTold) {
  MemFileSystem files;
  files.now_ns = FakeClock::kStart;
  files.put("/w/.part-1", "x");
  remove_old(files, files.now_ns + kHour_ns / 2, "/w", ".part-");
  EXPECT_TRUE(files.has("/w/.part-1"));
  remove_old(files, files.now_ns + 2 * kHour_ns, "/w", ".part-");
  EXPECT_FALSE(files.has("/w/.part-1"));
}

}  // namespace
}  // namespace trainmake
