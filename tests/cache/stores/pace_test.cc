#include "cache/stores/pace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "cache/stores/sender.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

Service limits_of(const std::string& name, const std::string& value) {
  Value text, number;
  text.data = value;
  number.data = std::int64_t{std::atoll(value.c_str())};
  return {"limits", "", {{}, {{name, name == "requests" ? number : text}}}, {"TRAINSPACE.lua", 1}};
}

TEST(Pace, NoMoreRequestsAreOnTheirWayThanWasSaid) {
  FakeClock clock;
  std::atomic<int> now = 0, most = 0;
  class Counting final : public Http {
   public:
    Counting(std::atomic<int>& on_their_way, std::atomic<int>& at_most)
        : now_(on_their_way), most_(at_most) {}
    Result<HttpResponse> send(const HttpRequest&, std::stop_token) override {
      const int count = ++now_;
      for (int known = most_; count > known && !most_.compare_exchange_weak(known, count);) {
      }
      std::this_thread::yield();
      --now_;
      return HttpResponse{200, {}, ""};
    }

   private:
    std::atomic<int>& now_;
    std::atomic<int>& most_;
  } counting(now, most);
  PacedHttp paced(counting, clock, {2, 0});
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int each = 0; each < 50; ++each) EXPECT_TRUE(paced.send({}, {}));
      });
    }
  }
  EXPECT_LE(most, 2);
}

TEST(Pace, BytesTakeTheirTimeTogether) {
  FakeClock clock;
  FakeHttp http;
  http.answer = [](const HttpRequest&) { return HttpResponse{200, {}, ""}; };
  PacedHttp paced(http, clock, {32, 1000});
  HttpRequest request;
  request.body = std::string(500, 'x');
  const std::int64_t begun = clock.steady_ns();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(paced.send(request, {}));
  EXPECT_EQ(clock.steady_ns() - begun, 2'000'000'000) << "the first of them waits for nothing";
}

TEST(Pace, NoRequestIsFasterThanAllMayBe) {
  FakeClock clock;
  FakeHttp http;
  http.answer = [](const HttpRequest&) { return HttpResponse{200, {}, ""}; };
  PacedHttp outer(http, clock, {32, 5000});
  PacedHttp paced(outer, clock, {32, 1000});
  HttpRequest request;
  request.body = "x";
  ASSERT_TRUE(paced.send(request, {}));
  EXPECT_EQ(http.requests().back().bytes_a_second, 1000U);
  ASSERT_TRUE(outer.send_in_turn({1, true}, [&]() -> Result<HttpRequest> { return request; }, {}));
  EXPECT_EQ(http.requests().back().bytes_a_second, 0U) << "what is urgent is";
}

TEST(Pace, WhatIsMadeForItsTurnIsMadeAfterAllWaits) {
  FakeClock clock;
  FakeHttp http;
  http.answer = [](const HttpRequest&) { return HttpResponse{200, {}, ""}; };
  PacedHttp all(http, clock, {32, 1000});
  MemFileSystem files;
  FakeProcesses processes;
  const Environment environment;
  Host host{files, processes, all, clock, environment};
  Sender sender(host, {32, 0});
  std::vector<std::int64_t> made;
  const std::int64_t begun = clock.steady_ns();
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(sender.send(
        [&]() -> Result<HttpRequest> {
          made.push_back((clock.steady_ns() - begun) / 1'000'000'000);
          return HttpRequest();
        },
        {.turn = {2000}}, {}));
  EXPECT_EQ(made, (std::vector<std::int64_t>{0, 2, 4})) << "so that a signature is of the time it is sent";
}

TEST(Pace, WhatIsUrgentWaitsForNobody) {
  FakeClock clock;
  const Turn large{60'000, false}, urgent{1000, true};
  // Sends the urgent one while the other has the only place.
  class Meanwhile final : public Http {
   public:
    std::function<void()> meanwhile;
    Result<HttpResponse> send(const HttpRequest& request, std::stop_token) override {
      if (request.body == "large") meanwhile();
      return HttpResponse{200, {}, ""};
    }
  } http;
  PacedHttp paced(http, clock, {1, 1000});
  const auto send = [&](const Turn& turn, const char* body) {
    const auto make = [&]() -> Result<HttpRequest> {
      HttpRequest request;
      request.body = body;
      return request;
    };
    return paced.send_in_turn(turn, make, {});
  };
  http.meanwhile = [&] { EXPECT_TRUE(send(urgent, "urgent")); };
  const std::int64_t begun = clock.steady_ns();
  ASSERT_TRUE(send(large, "large"));
  EXPECT_EQ(clock.steady_ns() - begun, 0);
  ASSERT_TRUE(send(large, "large"));
  EXPECT_EQ(clock.steady_ns() - begun, 61'000'000'000) << "it takes its share all the same";
}

TEST(Pace, WhoWaitsHearsThatItIsStopped) {
  FakeClock clock;
  FakeHttp http;
  http.answer = [](const HttpRequest&) { return HttpResponse{200, {}, ""}; };
  PacedHttp paced(http, clock, {1, 1});
  HttpRequest request;
  request.body = "xxxx";
  ASSERT_TRUE(paced.send(request, {}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(paced.send(request, stop.get_token()));
  EXPECT_EQ(http.requests().size(), 1U);
}

TEST(SendLimits, AreReadAsPeopleWriteThem) {
  const std::pair<const char*, std::uint64_t> cases[] = {
      {"800000", 800000}, {"50MB", 50'000'000}, {"50MiB/s", 50U << 20U}, {"1 GB", 1'000'000'000}};
  for (const auto& [text, bytes] : cases) {
    const auto limits = read_send_limits(limits_of("bandwidth", text), {});
    ASSERT_TRUE(limits) << text;
    EXPECT_EQ(limits->bandwidth, bytes) << text;
  }
  EXPECT_EQ(read_send_limits(limits_of("requests", "7"), {})->requests, 7U);
}

TEST(SendLimits, WhatIsNoneIsToldWithItsPlace) {
  const auto rate = read_send_limits(limits_of("bandwidth", "fast"), {});
  ASSERT_FALSE(rate);
  EXPECT_EQ(rate.error().message, "`limits` has a `bandwidth` that is none: `fast`");
  EXPECT_EQ(rate.error().where.line, 1);
  const auto requests = read_send_limits(limits_of("requests", "0"), {});
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.error().message, "`limits` cannot have 0 requests at once");
}

}  // namespace
}  // namespace trainmake
