#include "cache/stores/pace.h"

#include <algorithm>
#include <chrono>

namespace trainmake {

Result<HttpResponse> Pace::keep(std::uint64_t bytes, const std::stop_token& stop,
                                const std::function<Result<HttpResponse>()>& send) {
  TRY(wait_for_bandwidth(bytes, stop));
  {
    std::unique_lock lock(mutex_);
    if (!free_.wait(lock, stop, [&] { return busy_ < limits_.requests; })) return fail(interrupted_error());
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
Result<void> Pace::wait_for_bandwidth(std::uint64_t bytes, const std::stop_token& stop) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (limits_.bandwidth == 0 || bytes == 0) return {};
  std::int64_t from = 0;
  const std::int64_t now = clock_.steady_ns();
  {
    const std::lock_guard lock(mutex_);
    from = std::max(now, next_bytes_ns_);
    next_bytes_ns_ =
        from + static_cast<std::int64_t>(static_cast<double>(bytes) * static_cast<double>(kSecond) /
                                         static_cast<double>(limits_.bandwidth));
  }
  if (from > now && clock_.wait(std::chrono::milliseconds((from - now) / 1'000'000), stop))
    return fail(interrupted_error());
  return {};
}

Result<HttpResponse> PacedHttp::send(const HttpRequest& request, std::stop_token stop) {
  const std::uint64_t bytes = request.body_from ? request.body_size : request.body.size();
  return pace_.keep(bytes, stop, [&] { return inner_.send(request, stop); });
}

}  // namespace trainmake
