// A clock that stands still until it is told to move; waiting moves it, so that no test sleeps.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "engine/base/host.h"

namespace trainmake {

class FakeClock final : public Clock {
 public:
  static constexpr std::int64_t kStart = 1'700'000'000'000'000'000;  // well after any time of MemFileSystem

  std::int64_t now_ns() override { return now_; }
  std::int64_t steady_ns() override { return now_ - kStart; }
  bool wait(std::chrono::milliseconds time, std::stop_token stop) override {
    if (time > longest || time == endless) {
      std::mutex mutex;
      std::condition_variable_any stopped;
      std::unique_lock lock(mutex);
      stopped.wait(lock, stop, [] { return false; });
    }
    if (stop.stop_requested()) return true;
    advance(time);
    return false;
  }
  // A longer wait lasts until it is stopped: of a thread that only tells, now and then, that it is there.
  std::chrono::milliseconds longest = std::chrono::milliseconds::max();
  std::chrono::milliseconds endless{-1};  // the same of a wait of just that time
  void advance(std::chrono::nanoseconds time) { now_ += time.count(); }

 private:
  std::atomic<std::int64_t> now_ = kStart;
};

}  // namespace trainmake
