#include "cache/stores/pace.h"

#include <algorithm>
#include <chrono>

namespace trainmake {

Result<HttpResponse> Pace::keep(const Turn& turn, const std::stop_token& stop,
                                const std::function<Result<HttpResponse>()>& send) {
  TRY(wait_for_bandwidth(turn, stop));
  {
    std::unique_lock lock(mutex_);
    if (!turn.is_urgent && !free_.wait(lock, stop, [&] { return busy_ < limits_.requests; }))
      return fail(interrupted_error());
    ++busy_;
  }
  Result<HttpResponse> response = send();
  {
    const std::lock_guard lock(mutex_);
    --busy_;
  }
  free_.notify_one();
  return response;
}

// Each request takes the time that its bytes have, after those before it.
Result<void> Pace::wait_for_bandwidth(const Turn& turn, const std::stop_token& stop) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (limits_.bandwidth == 0 || turn.bytes == 0) return {};
  std::int64_t from = 0;
  const std::int64_t now = clock_.steady_ns();
  {
    const std::lock_guard lock(mutex_);
    from = std::max(now, next_bytes_ns_);
    next_bytes_ns_ =
        from + static_cast<std::int64_t>(static_cast<double>(turn.bytes) * static_cast<double>(kSecond) /
                                         static_cast<double>(limits_.bandwidth));
  }
  if (!turn.is_urgent && from > now && clock_.wait(std::chrono::milliseconds((from - now) / 1'000'000), stop))
    return fail(interrupted_error());
  return {};
}

void Pace::slow_down(const Turn& turn, HttpRequest& request) const {
  if (turn.is_urgent || limits_.bandwidth == 0) return;
  std::uint64_t& most = request.bytes_a_second;
  most = most == 0 ? limits_.bandwidth : std::min(most, limits_.bandwidth);
}

Result<HttpResponse> PacedHttp::send(const HttpRequest& request, std::stop_token stop) {
  const std::uint64_t bytes = request.body_from ? request.body_size : request.body.size();
  return send_in_turn(
      {bytes, false}, [&]() -> Result<HttpRequest> { return request; }, std::move(stop));
}

Result<HttpResponse> PacedHttp::send_in_turn(const Turn& turn,
                                             const std::function<Result<HttpRequest>()>& make,
                                             std::stop_token stop) {
  const auto paced = [&]() -> Result<HttpRequest> {
    TRY_ASSIGN(HttpRequest request, make());
    pace_.slow_down(turn, request);
    return request;
  };
  return pace_.keep(turn, stop, [&] { return inner_.send_in_turn(turn, paced, stop); });
}

}  // namespace trainmake
