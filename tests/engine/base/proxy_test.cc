#include "engine/base/proxy.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"

namespace trainmake {
namespace {

std::string used(const std::string& url, std::map<std::string, std::string> variables) {
  const auto proxy = proxy_for(url, Environment{std::move(variables)});
  return proxy ? cat(proxy->variable, " ", proxy->host) : "none";
}

TEST(Proxy, IsWhatTheEnvironmentSays) {
  EXPECT_EQ(used("http://a.example/", {}), "none");
  EXPECT_EQ(used("http://a.example/", {{"http_proxy", "127.0.0.1:1"}}), "http_proxy 127.0.0.1:1");
  EXPECT_EQ(used("http://a.example/", {{"HTTP_PROXY", "127.0.0.1:1"}}), "none");
  EXPECT_EQ(used("https://a.example/", {{"HTTPS_PROXY", "http://p:3128/"}}), "HTTPS_PROXY p:3128");
  EXPECT_EQ(used("https://a.example/", {{"http_proxy", "p:1"}, {"all_proxy", "socks5://s:2"}}),
            "all_proxy s:2");
}

TEST(Proxy, IsNamedWithoutItsLogin) {
  for (const char* proxy : {"http://me:WORD@p:3128", "me:WORD@p:3128"})
    EXPECT_EQ(used("http://a.example/", {{"http_proxy", proxy}}), "http_proxy p:3128");
}

TEST(Proxy, SparesWhatItIsToSpare) {
  const std::map<std::string, std::string> some = {{"http_proxy", "p:1"},
                                                   {"no_proxy", "b.example, .c.example,::1"}};
  EXPECT_EQ(used("http://b.example:80/", some), "none");
  EXPECT_EQ(used("http://x.C.example/", some), "none");
  EXPECT_EQ(used("http://ab.example/", some), "http_proxy p:1");
  EXPECT_EQ(used("http://ab.example/", {{"http_proxy", "p:1"}, {"NO_PROXY", "*"}}), "none");
}

}  // namespace
}  // namespace trainmake
