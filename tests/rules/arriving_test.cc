#include "rules/data/arriving.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/rules/rule_world.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

struct ArrivingTest : testing::Test {
  RuleWorld world;
  ScratchFolder folder;
  LockTable locks{folder.path("locks")};

  Arriving take_up() {
    auto taken = Arriving::take_up(world.host, locks, "/w/.trainmake/fetched/.part-1", {}, [] {});
    EXPECT_TRUE(taken);
    return *std::move(taken);
  }
};

TEST_F(ArrivingTest, GoesOnWhereItWasAndEndsAsABlob) {
  ASSERT_TRUE(take_up().append("one "));
  Arriving part = take_up();
  EXPECT_EQ(part.size(), 4U);
  ASSERT_TRUE(part.append("two"));
  const auto blob = part.become_blob(world.blobs, {});
  ASSERT_TRUE(blob);
  EXPECT_EQ(**world.blobs.read(blob->sha256), "one two");
  EXPECT_FALSE(world.files.has(part.path()));
}

TEST_F(ArrivingTest, OneThatWasCutAsItBecameABlobIsBegunAnew) {
  world.files.put("/w/.trainmake/fetched/.part-1", "whole", 0444);
  EXPECT_EQ(take_up().size(), 0U);
  EXPECT_FALSE(world.files.has("/w/.trainmake/fetched/.part-1"));
}

TEST_F(ArrivingTest, AFullDiskKeepsWhatCameAndSaysSo) {
  Arriving part = take_up();
  ASSERT_TRUE(part.append("came"));
  world.files.refuse("write /w/.trainmake/fetched/.part-1", ENOSPC);
  const auto written = part.append("more");
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().hint.find("4 B of it lie there"), std::string::npos) << written.error().hint;
  EXPECT_NE(written.error().hint.find("`trainmake gc`"), std::string::npos);
  world.files.refuse("write /w/.trainmake/fetched/.part-1", EACCES);
  EXPECT_EQ(part.append("more").error().hint.find("gc"), std::string::npos);
  EXPECT_EQ(part.size(), 4U);
}

}  // namespace
}  // namespace trainmake
