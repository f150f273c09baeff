// Requests to one service: no more at once, and no more bytes a second, than was said; and again, with
// growing pauses, while that may help. Knows no protocol. Thread rule: any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "cache/stores/pace.h"
#include "engine/base/host.h"

namespace trainmake {

class Sender {
 public:
  Sender(Host& host, SendLimits limits);

  // The last answer, whatever its status; an error is that there was none. `make` makes each attempt anew:
  // its body is read, and its signature has a time. `bytes` is the size of that body. What is `expected` is
  // an answer, poor as it may look.
  Result<HttpResponse> send(const std::function<Result<HttpRequest>()>& make, std::uint64_t bytes,
                            const std::stop_token& given, std::initializer_list<int> expected = {});
  // What ends requests that are sent without a stop of their own.
  void heed(const std::stop_token& stop);

 private:
  Result<HttpResponse> send_once(const std::function<Result<HttpRequest>()>& make, std::uint64_t bytes,
                                 const std::stop_token& stop);
  std::chrono::milliseconds pause(int attempt, const HttpResponse* response);

  Host& host_;
  Pace pace_;
  std::atomic<std::uint64_t> dice_;
  std::atomic<bool> was_reached_ = false;
  std::mutex mutex_;  // guards what follows
  std::stop_token heeded_;
};

// Of an answer; "" when it has none.
std::string header_value(const HttpResponse& response, std::string_view name);

// `Sun, 22 Nov 2026 09:17:08 GMT`
std::optional<std::int64_t> http_time_ns(const std::string& date);

// Seconds since what was answered was put, by the service's own clock.
std::optional<std::int64_t> age_of(const HttpResponse& response);

std::string without_quotes(std::string_view tag);  // as an `ETag` header has them

}  // namespace trainmake
