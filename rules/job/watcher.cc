#include "rules/job/watcher.h"

#include <algorithm>
#include <chrono>

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMs_ns = 1'000'000;
constexpr std::int64_t kForEachWatched_ns = 10 * kMs_ns;  // a hundred looks a second, at most
constexpr milliseconds kNap{50};                          // one that comes, and a stop, are noticed after it

}  // namespace

void Watcher::watch(Attempt& attempt, Then then) {
  const std::lock_guard lock(mutex_);
  arrivals_.push_back({&attempt, std::move(then), 0});
  if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& closing) { run(closing); });
  arrived_.notify_one();
}

void Watcher::run(const std::stop_token& closing) {
  while (take_arrivals(closing)) {
    look_around();
    clock_.wait(kNap, closing);
  }
}

// Waits for one when there is nothing to watch. False: it is over.
bool Watcher::take_arrivals(const std::stop_token& closing) {
  std::unique_lock lock(mutex_);
  if (watched_.empty()) arrived_.wait(lock, closing, [&] { return !arrivals_.empty(); });
  std::move(arrivals_.begin(), arrivals_.end(), std::back_inserter(watched_));
  arrivals_.clear();
  return !closing.stop_requested();
}

void Watcher::look_around() {
  const auto crowd_ns = static_cast<std::int64_t>(watched_.size()) * kForEachWatched_ns;
  const std::int64_t now_ns = clock_.steady_ns();
  std::erase_if(watched_, [&](Watched& one) {
    if (now_ns < one.due_ns && !one.attempt->is_stopped()) return false;
    Result<Seen> seen = one.attempt->look();
    if (seen && *seen == Seen::kGoesOn) {
      one.due_ns = clock_.steady_ns() + std::max(crowd_ns, one.attempt->pause().count() * kMs_ns);
      return false;
    }
    one.then(seen ? Result<bool>(*seen == Seen::kOver) : fail(std::move(seen).error()));
    return true;
  });
}

}  // namespace trainmake
