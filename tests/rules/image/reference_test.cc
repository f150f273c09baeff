#include "rules/image/reference.h"

#include <gtest/gtest.h>

#include "rules/image/base_lock.h"
#include "rules/image/registries/http/address.h"
#include "rules/image/registries/http/challenge.h"

namespace trainmake {
namespace {

const std::string kDigest(64, 'a');

TEST(Reference, IsReadAsDockerReadsIt) {
  struct Case {
    std::string text, whole;
  };
  for (const Case& each :
       {Case{"python", "docker.io/library/python:latest"},
        Case{"python:3.11", "docker.io/library/python:3.11"},
        Case{"team/python", "docker.io/team/python:latest"}, Case{"localhost/x", "localhost/x:latest"},
        Case{"localhost:5000/x:v", "localhost:5000/x:v"},
        Case{"r.example.com/a/b_c/d__e:v", "r.example.com/a/b_c/d__e:v"},
        Case{"r.example.com/a@sha256:" + kDigest, "r.example.com/a@sha256:" + kDigest},
        Case{"r.example.com/a:v@sha256:" + kDigest, "r.example.com/a:v@sha256:" + kDigest}}) {
    const auto reference = parse_reference(each.text);
    ASSERT_TRUE(reference) << each.text;
    EXPECT_EQ(reference->text(), each.whole);
    EXPECT_EQ(parse_reference(each.whole)->text(), each.whole);
  }
}

TEST(Reference, WhatIsNoneIsRefusedByName) {
  for (const std::string text :
       {"", "Python", "a b", "r.example.com/", "r.example.com/a:", "a:-v", "a@sha256:12", "a@md5:12",
        "r.example.com/a..b", "a_", "a/-b", "a___b", "r.example.com//a"}) {
    const auto reference = parse_reference(text);
    ASSERT_FALSE(reference) << text;
    EXPECT_NE(reference.error().message.find("`" + text + "`"), std::string::npos)
        << reference.error().message;
  }
}

TEST(BaseLock, IsWrittenAsItIsRead) {
  BaseLock lock;
  lock.bases["r/b:v"]["arm64"] = *Sha256::parse(kDigest);
  lock.bases["r/a:v"]["amd64"] = *Sha256::parse(kDigest);
  const std::string text = to_text(lock);
  EXPECT_LT(text.find("r/a:v"), text.find("r/b:v"));
  EXPECT_EQ(to_text(*parse_lock(text)), text);
  EXPECT_EQ(parse_lock(text)->find("r/a:v", "amd64"), Sha256::parse(kDigest));
  EXPECT_FALSE(parse_lock(text)->find("r/a:v", "arm64"));
  for (const char* bad : {"", "[]", "{}", R"({"version":2,"bases":{}})", R"({"version":1,"bases":{"a":1}})",
                          R"({"version":1,"bases":{"a":{"amd64":"sha256:1"}}})"})
    EXPECT_FALSE(parse_lock(bad)) << bad;
}

TEST(Challenge, HasASchemeAndParameters) {
  const auto bearer =
      parse_challenge(R"(Bearer realm="https://a.example.com/t",service="x, \"y\"",scope=pull)");
  ASSERT_TRUE(bearer);
  EXPECT_EQ(bearer->scheme, "bearer");
  EXPECT_EQ(bearer->parameters.at("realm"), "https://a.example.com/t");
  EXPECT_EQ(bearer->parameters.at("service"), "x, \"y\"");
  EXPECT_EQ(bearer->parameters.at("scope"), "pull");
  EXPECT_EQ(parse_challenge("Basic")->scheme, "basic");
  EXPECT_FALSE(parse_challenge(""));
  EXPECT_TRUE(parse_challenge("Bearer realm=\"never ends"));
}

TEST(Address, IsPlainHttpOnThisMachineAlone) {
  EXPECT_EQ(url_of_registry("127.0.0.1:5000", false), "http://127.0.0.1:5000");
  EXPECT_EQ(url_of_registry("localhost", false), "http://localhost");
  EXPECT_EQ(url_of_registry("[::1]:5000", false), "http://[::1]:5000");
  EXPECT_EQ(url_of_registry("r.example.com:5000", false), "https://r.example.com:5000");
  EXPECT_EQ(url_of_registry("r.example.com", true), "http://r.example.com");
  EXPECT_EQ(url_of_registry("localhost.example.com", false), "https://localhost.example.com");
  EXPECT_EQ(url_of_registry("docker.io", false), "https://registry-1.docker.io");
}

TEST(Address, ALocationIsWholeFromWhereItWasTold) {
  const std::string from = "https://r.example.com:5000/v2/a/blobs/uploads/?mount=x";
  EXPECT_EQ(resolved("http://b/c?d", from), "http://b/c?d");
  EXPECT_EQ(resolved("//b/c", from), "https://b/c");
  EXPECT_EQ(resolved("/v2/u?s=http://x", from), "https://r.example.com:5000/v2/u?s=http://x");
  EXPECT_EQ(resolved("id?s=1", from), "https://r.example.com:5000/v2/a/blobs/uploads/id?s=1");
  EXPECT_EQ(resolved("?s=1", from), "https://r.example.com:5000/v2/a/blobs/uploads/?s=1");
  EXPECT_EQ(resolved("id", "http://h"), "http://h/id");
}

TEST(Address, LiesBelowAnotherOrNot) {
  EXPECT_TRUE(is_below("https://r/v2/", "https://r"));
  EXPECT_TRUE(is_below("https://r", "https://r"));
  EXPECT_FALSE(is_below("https://r.evil/v2/", "https://r"));
  EXPECT_FALSE(is_below("https://r@evil/v2/", "https://r"));
  EXPECT_FALSE(is_below("http://r/v2/", "https://r"));
}

}  // namespace
}  // namespace trainmake
