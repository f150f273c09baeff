// A pace that all who share it keep together: no more requests on their way at once, and no more bytes a
// second, than was said. Thread rule: any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>

#include "cache/stores/send_limits.h"
#include "engine/base/host.h"

namespace trainmake {

class Pace {
 public:
  Pace(Clock& clock, SendLimits limits) : clock_(clock), limits_(limits) {}

  // Calls `send` when it is its turn. What is urgent goes at once, and others wait the longer.
  Result<HttpResponse> keep(const Turn& turn, const std::stop_token& stop,
                            const std::function<Result<HttpResponse>()>& send);
  // Within one request, too; what is urgent is as fast as it can be.
  void slow_down(const Turn& turn, HttpRequest& request) const;

 private:
  Result<void> wait_for_bandwidth(const Turn& turn, const std::stop_token& stop);

  Clock& clock_;
  const SendLimits limits_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable_any free_;
  unsigned busy_ = 0;               // requests on their way
  std::int64_t next_bytes_ns_ = 0;  // when more may be sent
};

// Whatever goes through it keeps one pace, whoever asks.
class PacedHttp final : public Http {
 public:
  PacedHttp(Http& inner, Clock& clock, SendLimits limits) : inner_(inner), pace_(clock, limits) {}

  Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) override;
  Result<HttpResponse> send_in_turn(const Turn& turn, const std::function<Result<HttpRequest>()>& make,
                                    std::stop_token stop) override;
  std::jthread get_ready() override { return inner_.get_ready(); }

 private:
  Http& inner_;
  Pace pace_;
};

}  // namespace trainmake
