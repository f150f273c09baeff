// Requests to one service: no more at once, and no more bytes a second, than was said; and again, with
// growing pauses, while that may help. Knows no protocol. Thread rule: any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/stores/pace.h"
#include "cache/stores/store.h"
#include "engine/base/host.h"

namespace trainmake {

struct Sending {
  Turn turn;
  const MayWrite* may_write = nullptr;  // asked at its turn
};

class Sender {
 public:
  Sender(Host& host, SendLimits limits);

  // The last answer, whatever its status; an error is that there was none. `make` makes each attempt anew:
  // its body is read, and its signature has a time. What is `expected` is an answer, poor as it may look.
  Result<HttpResponse> send(const std::function<Result<HttpRequest>()>& make, const Sending& sending,
                            const std::stop_token& given, std::initializer_list<int> expected = {});
  // What ends requests that are sent without a stop of their own, and who is told of long silence.
  [[nodiscard]] std::shared_ptr<void> heed(const std::stop_token& stop, const Hear& hear = {});

 private:
  struct Heeded {
    std::stop_token stop;
    Hear hear;
  };
  std::shared_ptr<Heeded> last_heeded();
  Result<HttpResponse> send_once(const std::function<Result<HttpRequest>()>& make, const Sending& sending,
                                 bool is_repeated, const std::stop_token& stop);
  std::chrono::milliseconds pause(int attempt, const HttpResponse* response);
  void tell_of_silence(std::int64_t since_ns, const Result<HttpResponse>& last);

  Host& host_;
  Pace pace_;
  std::atomic<std::uint64_t> dice_;
  std::atomic<bool> was_reached_ = false;
  std::mutex mutex_;                           // guards heeded_
  std::vector<std::weak_ptr<Heeded>> heeded_;  // the last one first
  std::mutex telling_;                         // guards told_ns_
  std::optional<std::int64_t> told_ns_;        // when silence was told last
};

// Of an answer; "" when it has none.
std::string header_value(const HttpResponse& response, std::string_view name);

// `Sun, 22 Nov 2026 09:17:08 GMT`
std::optional<std::int64_t> http_time_ns(const std::string& date);

// Seconds since what was answered was put, by the service's own clock.
std::optional<std::int64_t> age_of(const HttpResponse& response);

std::string without_quotes(std::string_view tag);  // as an `ETag` header has them

}  // namespace trainmake
