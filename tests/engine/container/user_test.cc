#include "engine/container/user.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/var/www:/bin/false\ndamaged:x\n";
constexpr const char* kGroup = "root:x:0:\nwww:x:34:\nvideo:x:44:ann,www\nshort:x\n";

ImageUser found(const char* text) {
  const Result<ImageUser> user = find_user(text, kPasswd, kGroup);
  EXPECT_TRUE(user) << text;
  return user ? *user : ImageUser{};
}

TEST(User, IsRootWhenNoneIsNamed) {
  EXPECT_EQ(found("").ids, (ContainerUser{0, 0, {}}));
  EXPECT_EQ(found("").home, "/root");
  EXPECT_EQ(find_user("", "", "")->home, "/root");
}

TEST(User, HasItsGroupsByName) {
  EXPECT_EQ(found("www").ids, (ContainerUser{33, 34, {44}}));
  EXPECT_EQ(found("33").ids, (ContainerUser{33, 34, {44}}));
  EXPECT_EQ(found("www").home, "/var/www");
}

TEST(User, HasTheGroupThatIsNamedAlone) {
  EXPECT_EQ(found("www:video").ids, (ContainerUser{33, 44, {}}));
  EXPECT_EQ(found("www:7").ids, (ContainerUser{33, 7, {}}));
}

TEST(User, OfANumberNeedsNoEntry) { EXPECT_EQ(found("1000:1001").ids, (ContainerUser{1000, 1001, {}})); }

TEST(User, ThatIsUnknownIsAnError) {
  EXPECT_EQ(find_user("ann", kPasswd, kGroup).error().message,
            "The image has no user `ann`, which its config names");
  EXPECT_EQ(find_user("www:staff", kPasswd, kGroup).error().message,
            "The image has no group `staff`, which its config names");
  EXPECT_FALSE(find_user("damaged", kPasswd, kGroup));
}

}  // namespace
}  // namespace trainmake
