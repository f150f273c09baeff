// The vectors are those that UCloud's own client makes with the key pair of its documents.
#include "engine/cloud/ufile_signature.h"

#include <gtest/gtest.h>

#include "engine/cloud/hmac.h"

namespace trainmake {
namespace {

const UCloudKeys kDocumented = {"ucloudsomeone@example.com1296235120854146120",
                                "46f09bb9fab4f12dfc160dae12273d5332b5debe"};

std::string signature(const std::string& method, const std::string& bucket, const std::string& key,
                      std::vector<std::pair<std::string, std::string>> headers = {}) {
  HttpRequest request;
  request.method = method;
  request.headers = std::move(headers);
  sign_ufile(request, bucket, key, kDocumented);
  const std::string begin = "UCloud " + kDocumented.public_key + ":";
  const auto& [name, value] = request.headers.back();
  EXPECT_EQ(name, "Authorization");
  EXPECT_EQ(value.substr(0, begin.size()), begin);
  return value.substr(begin.size());
}

TEST(UfileSignature, IsThatOfTheirClient) {
  EXPECT_EQ(signature("PUT", "demobucket", "demokey", {{"Content-Type", "image/jpeg"}}),
            "6yvEwzA+4+sMK5vlmflnAIVMABE=");
  EXPECT_EQ(signature("DELETE", "demobucket", "demokey"), "b3uMK2GfOYrr4e25ar30Aa3Iu/E=");
  EXPECT_EQ(signature("POST", "demobucket", "demokey", {{"Content-Type", "text/plain"}}),
            "SneA4aDEJKCMa+H8kI8DyIEgpYU=");
}

TEST(UfileSignature, OfABucketHasNoKey) {
  EXPECT_EQ(signature("GET", "demobucket", ""), "pMYSykEdcstR5uBJM4h2Iz1yRBs=");
}

TEST(UfileSignature, CoversATimeWhereOneIsSaid) {
  EXPECT_EQ(signature("GET", "demobucket", "demokey", {{"Date", "1141889120"}}),
            "4CYx/zoDf0Jvz/Ss4olqDthDp8w=");
}

TEST(UfileSignature, TakesKeysAsTheyAre) {
  EXPECT_EQ(signature("PUT", "demobucket", "数据/a b.txt", {{"Content-Type", "text/plain"}}),
            "NrnFEsIefAtENdYjGmYsm4Kk/VU=");
}

TEST(UfileSignature, CoversTheDigestOfTheBodyAndNotItsOtherHeaders) {
  const std::string plain = signature("PUT", "b", "k", {{"Content-Type", "a/b"}});
  EXPECT_NE(signature("PUT", "b", "k", {{"Content-MD5", hex_of(md5("x"))}, {"Content-Type", "a/b"}}), plain);
  EXPECT_EQ(signature("PUT", "b", "k", {{"X-Ufile-Meta-A", "1"}, {"Content-Type", "a/b"}}), plain);
}

TEST(OldHasher, GivesWhatOneCallGivesAndBeginsAnew) {
  OldHasher hasher(OldDigest::kSha1);
  hasher.add("hello ");
  hasher.add("world");
  EXPECT_EQ(hex_of(hasher.finish()), "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed");
  hasher.add("a");
  EXPECT_EQ(hasher.finish(), sha1("a"));
  OldHasher other(OldDigest::kMd5);
  EXPECT_EQ(hex_of(other.finish()), "d41d8cd98f00b204e9800998ecf8427e");
}

}  // namespace
}  // namespace trainmake
