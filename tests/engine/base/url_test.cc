#include "engine/base/url.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

TEST(Url, HasAHostAndPerhapsALogin) {
  EXPECT_EQ(host_of("https://a.example:80/x@y?z"), "a.example:80");
  EXPECT_EQ(host_of("https://me:p@ss@a.example?x=1"), "a.example");
  EXPECT_EQ(host_of("dir:/mnt/a@b"), "");
  EXPECT_TRUE(holds_login("s3://KEY:SECRET@bucket/x"));
  EXPECT_FALSE(holds_login("https://a.example/@scope/x?mail=a@b"));
}

TEST(Url, MayHaveAQuery) {
  EXPECT_TRUE(holds_query("https://a/b?c"));
  EXPECT_TRUE(holds_query("s3://a#b"));
  EXPECT_FALSE(holds_query("s3://a/b"));
}

TEST(Url, AQueryIsNotShown) {
  EXPECT_EQ(without_query("https://a/b?X-Amz-Signature=00"), "https://a/b?...");
  EXPECT_EQ(without_query("https://a/b#c"), "https://a/b?...");
  EXPECT_EQ(without_query("https://a/b"), "https://a/b");
  EXPECT_EQ(without_secrets("https://me:word@a:1/b@c?d"), "https://***@a:1/b@c?...");
  EXPECT_EQ(without_secrets("https://a/b@c"), "https://a/b@c");
}

}  // namespace
}  // namespace trainmake
