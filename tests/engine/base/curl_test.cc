#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <latch>
#include <thread>

#include "engine/base/host.h"
#include "engine/base/text.h"
#include "tests/support/loopback_server.h"

namespace trainmake {
namespace {

std::string ok(std::string_view body, std::string_view headers = "") {
  return cat("HTTP/1.1 200 OK\r\n", headers, "Connection: close\r\nContent-Length: ", body.size(), "\r\n\r\n",
             body);
}

// What the server saw of a request.
std::string seen(HttpRequest request) {
  const LoopbackServer server([](const std::string& whole) { return ok(whole); });
  request.url = server.url(request.url);
  return real_http().send(request, {}).value().body;
}

TEST(Http, GivesStatusHeadersAndBody) {
  const LoopbackServer server([](const std::string&) {
    return std::string(
        "HTTP/1.1 404 Not Found\r\nX-Thing:  a b \r\nConnection: close\r\nContent-Length: 4\r\n\r\nnone");
  });
  const HttpResponse response = real_http().send({"GET", server.url("/a"), {}, ""}, {}).value();
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "none");
  ASSERT_FALSE(response.headers.empty());
  EXPECT_EQ(response.headers[0], (std::pair<std::string, std::string>("x-thing", "a b")));
}

TEST(Http, SendsTheHeadersItIsGiven) {
  const std::string request = seen({"GET", "/a?b=c", {{"Authorization", "Bearer x"}, {"X-Empty", ""}}, ""});
  EXPECT_TRUE(request.starts_with("GET /a?b=c HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("\r\nAuthorization: Bearer x\r\n"), std::string::npos);
  EXPECT_NE(request.find("\r\nX-Empty:\r\n"), std::string::npos);
}

TEST(Http, SendsABodyAndNoHeaderOfItsOwnAboutIt) {
  const std::string request = seen({"POST", "/a", {}, std::string("x\0y", 3)});
  EXPECT_TRUE(request.starts_with("POST /a HTTP/1.1\r\n")) << request;
  EXPECT_TRUE(request.ends_with(std::string("\r\n\r\nx\0y", 7)));
  EXPECT_NE(request.find("\r\nContent-Length: 3\r\n"), std::string::npos);
  EXPECT_EQ(request.find("Content-Type"), std::string::npos);
  EXPECT_EQ(request.find("Expect"), std::string::npos);
}

TEST(Http, ABodyMayBeGivenPieceByPiece) {
  HttpRequest request{"PUT", "/a", {}, ""};
  request.body_size = 6;
  std::string left = "abcdef";
  request.body_from = [&](std::span<char> into) -> Result<std::size_t> {
    EXPECT_GE(into.size(), 2U);
    left.copy(into.data(), 2);
    left.erase(0, 2);
    return std::size_t{2};
  };
  const std::string got = seen(request);
  EXPECT_TRUE(got.starts_with("PUT /a HTTP/1.1\r\n")) << got;
  EXPECT_NE(got.find("\r\nContent-Length: 6\r\n"), std::string::npos);
  EXPECT_TRUE(got.ends_with("\r\n\r\nabcdef"));
}

TEST(Http, ABodyThatCannotBeGivenEndsTheRequestWithItsReason) {
  const LoopbackServer server([](const std::string&) { return ok(""); });
  HttpRequest request{"PUT", server.url("/a"), {}, ""};
  request.body_size = 6;
  request.body_from = [](std::span<char>) -> Result<std::size_t> { return fail(step_error("No such luck")); };
  const auto response = real_http().send(request, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "No such luck");
}

TEST(Http, AnAnswerMayBeTakenPieceByPieceWhenItIsGood) {
  for (const int status : {200, 404}) {
    const LoopbackServer server([status](const std::string&) {
      return cat("HTTP/1.1 ", status, " X\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody");
    });
    std::string taken;
    HttpRequest request{"GET", server.url("/a"), {}, ""};
    request.body_to = [&](const HttpResponse& head, std::string_view bytes) {
      EXPECT_EQ(head.status, 200);
      EXPECT_FALSE(head.headers.empty());
      taken += bytes;
      return Result<void>();
    };
    const HttpResponse response = real_http().send(request, {}).value();
    EXPECT_EQ(taken, status == 200 ? "body" : "");
    EXPECT_EQ(response.body, status == 200 ? "" : "body");
    request.body_to = [](const HttpResponse&, std::string_view) -> Result<void> {
      return fail(step_error("The disk is full"));
    };
    const auto refused = real_http().send(request, {});
    EXPECT_EQ(refused.has_value(), status == 404);
  }
}

TEST(Http, AProxyThatCannotBeReachedIsNamedWithoutItsLogin) {
  ::setenv("http_proxy", "http://me:WORD@127.0.0.1:1", 1);
  const auto refused = real_http().send({"GET", "http://a.example/", {}, ""}, {});
  ::unsetenv("http_proxy");
  ASSERT_FALSE(refused);
  const std::string told = cat(refused.error().message, " ", refused.error().hint);
  EXPECT_NE(told.find("Cannot reach `a.example` through the proxy `127.0.0.1:1`"), told.npos) << told;
  EXPECT_NE(told.find("http_proxy in the environment"), told.npos) << told;
  EXPECT_EQ(told.find("WORD"), told.npos);
}

TEST(Http, KnowsTheOtherMethods) {
  EXPECT_TRUE(seen({"PUT", "/a", {}, "body"}).starts_with("PUT /a "));
  EXPECT_TRUE(seen({"DELETE", "/a", {}, ""}).starts_with("DELETE /a "));
  EXPECT_NE(seen({"PUT", "/a", {}, ""}).find("\r\nContent-Length: 0\r\n"), std::string::npos);
}

TEST(Http, HeadHasNoBodyToWaitFor) {
  const LoopbackServer server([](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n");
  });
  EXPECT_EQ(real_http().send({"HEAD", server.url("/a"), {}, ""}, {}).value().status, 200);
}

TEST(Http, ARedirectIsAnAnswer) {
  const LoopbackServer server([](const std::string&) {
    return std::string(
        "HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  EXPECT_EQ(real_http().send({"GET", server.url("/a"), {}, ""}, {}).value().status, 302);
}

TEST(Http, NobodyThereIsTheRemotesDoing) {
  std::string url;
  {
    const LoopbackServer gone([](const std::string&) { return std::string(); });
    url = gone.url("/a");
  }
  const Error error = real_http().send({"GET", url, {}, ""}, {}).error();
  EXPECT_EQ(error.blame, Blame::kRemote);
  EXPECT_TRUE(error.message.starts_with("Cannot reach `127.0.0.1:")) << error.message;
  EXPECT_NE(error.message.find("connect"), std::string::npos) << error.message;
}

TEST(Http, ACutConnectionIsTheRemotesDoing) {
  const LoopbackServer server(
      [](const std::string&) { return std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"); });
  EXPECT_EQ(real_http().send({"GET", server.url("/a"), {}, ""}, {}).error().blame, Blame::kRemote);
}

// libcurl would do that by itself, and nobody would hear of it.
TEST(Http, WhatIsNeverResentIsNotWhereAKeptConnectionIsClosed) {
  for (const char* method : {"PUT", "DELETE", "POST"}) {
    std::atomic<int> asked = 0;
    const LoopbackServer server([&](const std::string&) {
      ++asked;
      if (asked == 2) return std::string();
      return asked > 2
                 ? ok("")
                 : std::string("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
    });
    ASSERT_TRUE(real_http().send({"GET", server.url("/a"), {}, ""}, {}));
    HttpRequest request{method, server.url("/b"), {}, ""};
    request.never_resent = true;
    const auto response = real_http().send(request, {});
    ASSERT_FALSE(response) << method;
    EXPECT_EQ(response.error().blame, Blame::kRemote);
    EXPECT_NE(response.error().message.find("Cannot reach"), std::string::npos) << response.error().message;
    EXPECT_EQ(asked, 2) << method << ": over the connection that was kept, and not again";
    EXPECT_EQ(real_http().send(request, {}).value().status, 200);
    EXPECT_EQ(asked, 3);
  }
}

TEST(Http, WhatIsNoAddressIsTheUsersError) {
  EXPECT_EQ(real_http().send({"GET", "ftp://example.com/", {}, ""}, {}).error().blame, Blame::kUser);
  EXPECT_EQ(real_http().send({"GET", "", {}, ""}, {}).error().blame, Blame::kUser);
}

TEST(Http, ALineBreakInAHeaderIsRefused) {
  const Error error =
      real_http().send({"GET", "http://127.0.0.1:1/", {{"Authorization", "Bearer x\n"}}, ""}, {}).error();
  EXPECT_EQ(error.message, "Header `Authorization` has a line break in it");
}

TEST(Http, AStopEndsTheWait) {
  std::stop_source source;
  std::latch answered(1);
  {
    const LoopbackServer server([&](const std::string&) {
      source.request_stop();
      answered.wait();
      return std::string();
    });
    const auto response = real_http().send({"GET", server.url("/a"), {}, ""}, source.get_token());
    answered.count_down();
    EXPECT_EQ(response.error().blame, Blame::kInterrupted);
  }
  EXPECT_EQ(real_http().send({"GET", "http://127.0.0.1:1/", {}, ""}, source.get_token()).error().blame,
            Blame::kInterrupted);
}

TEST(Http, ManyRequestsGoAtOnce) {
  const LoopbackServer server(
      [](const std::string& request) { return ok(request.substr(0, request.find(" HTTP"))); });
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&server, i] {
      const std::string path = cat("/", i);
      EXPECT_EQ(real_http().send({"GET", server.url(path), {}, ""}, {}).value().body, cat("GET ", path));
    });
  }
}

}  // namespace
}  // namespace trainmake
