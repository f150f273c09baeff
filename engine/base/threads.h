// Threads as the rest uses them: a channel to pass values over, a pool that runs functions, and a parallel
// loop.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace trainmake {

unsigned processor_count();
std::int64_t thread_cpu_ns();  // that this thread has computed

// Many senders, one receiver.
template <typename T>
class Channel {
 public:
  // The channel may be gone as soon as the receiver has the value, so all is done with the lock held.
  void send(T value) {
    std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    ready_.notify_one();
  }
  // Waits for a value; an empty optional when `time` has passed first.
  std::optional<T> receive(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    if (!ready_.wait_for(lock, time, [&] { return !values_.empty(); })) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<T> values_;
};

// Runs what it is given on at most `threads` threads, in order of arrival. The destructor waits for all of
// it.
class WorkerPool {
 public:
  explicit WorkerPool(unsigned threads);
  ~WorkerPool();
  void run(std::function<void()> work);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

// Calls body(begin, end) for pieces of [0, count) on up to `threads` threads; returns when all are done.
void parallel_for(std::size_t count, std::size_t smallest_piece, unsigned threads,
                  const std::function<void(std::size_t, std::size_t)>& body);

}  // namespace trainmake
