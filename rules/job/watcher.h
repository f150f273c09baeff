// Watches jobs that go on far away, all of them on one thread: each is looked at now and then, and the more
// there are the less often. Knows no platform. Thread rule: any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/base/host.h"
#include "rules/job/attempt.h"

namespace trainmake {

class Watcher {
 public:
  // Whether it is over, or was left running.
  using Then = std::function<void(Result<bool> over)>;

  explicit Watcher(Clock& clock) : clock_(clock) {}
  // `then` is called once, on the watcher's thread. Borrows the attempt until then.
  void watch(Attempt& attempt, Then then);

 private:
  struct Watched {
    Attempt* attempt = nullptr;
    Then then;
    std::int64_t due_ns = 0;
  };
  void run(const std::stop_token& closing);
  bool take_arrivals(const std::stop_token& closing);
  void look_around();

  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::vector<Watched> arrivals_;
  std::vector<Watched> watched_;  // the thread's alone
  std::jthread thread_;           // last, so that it ends first
};

}  // namespace trainmake
