// Jobs on their way to a platform that takes many: those that come in quick succession and differ in their
// parameters alone are handed over together. Knows no platform by name. Thread rule: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "engine/base/hash.h"
#include "engine/base/host.h"
#include "engine/base/threads.h"
#include "rules/job/platform.h"

namespace trainmake {

class Submissions {
 public:
  using Then = std::function<void(Result<std::string>)>;
  // One that is being made ready, for which others wait a little.
  class Coming {
   public:
    explicit Coming(Submissions& to) : to_(to) { ++to_.coming_; }
    ~Coming() { --to_.coming_; }
    Coming(const Coming&) = delete;
    Coming& operator=(const Coming&) = delete;

   private:
    Submissions& to_;
  };

  // Borrows both.
  Submissions(Platform& platform, Clock& clock);
  // `then` is called once, with the platform's answer, on a thread of this.
  void add(Submission job, Then then);

 private:
  struct Lane {  // jobs that differ in their parameters alone
    std::vector<Submission> jobs;
    std::vector<Then> then;
    std::int64_t first_ns = 0, last_ns = 0;
  };
  void hand_over(const Digest128& key);
  bool is_complete(const Digest128& key);

  Platform& platform_;
  Clock& clock_;
  std::atomic<int> coming_ = 0;
  std::mutex mutex_;
  std::map<Digest128, Lane> lanes_;
  WorkerPool pool_;  // last, so that it ends first
};

}  // namespace trainmake
