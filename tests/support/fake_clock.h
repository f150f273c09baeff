// A clock that stands still until it is told to move; waiting moves it, so that no test sleeps.
#pragma once

#include <atomic>

#include "engine/base/host.h"

namespace trainmake {

class FakeClock final : public Clock {
 public:
  static constexpr std::int64_t kStart = 1'700'000'000'000'000'000;  // well after any time of MemFileSystem

  std::int64_t now_ns() override { return now_; }
  std::int64_t steady_ns() override { return now_ - kStart; }
  bool wait(std::chrono::milliseconds time, std::stop_token stop) override {
    if (stop.stop_requested()) return true;
    advance(time);
    return false;
  }
  void advance(std::chrono::nanoseconds time) { now_ += time.count(); }

 private:
  std::atomic<std::int64_t> now_ = kStart;
};

}  // namespace trainmake
