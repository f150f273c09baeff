// The pool and the parallel loop. Threads start when there is work for them and not before: most runs need
// none.
#include "engine/base/threads.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace trainmake {

// Those that this process may run on, which in a container are fewer than the machine has.
unsigned processor_count() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    return static_cast<unsigned>(std::max(CPU_COUNT(&allowed), 1));
  }
  return std::max(std::thread::hardware_concurrency(), 1U);
}

std::int64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

struct WorkerPool::Inside {
  explicit Inside(unsigned limit) : most(std::max(limit, 1U)) {}

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      ++idle;
      arrived.wait(lock, [&] { return closing || !waiting.empty(); });
      --idle;
      if (waiting.empty()) return;
      const std::function<void()> next = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }

  const std::size_t most;
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<std::function<void()>> waiting;
  std::size_t idle = 0;
  bool closing = false;
  std::vector<std::thread> threads;
};

WorkerPool::WorkerPool(unsigned threads) : inside_(std::make_unique<Inside>(threads)) {}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(inside_->mutex);
    inside_->closing = true;
  }
  inside_->arrived.notify_all();
  for (std::thread& thread : inside_->threads) thread.join();
}

void WorkerPool::run(std::function<void()> work) {
  Inside& inside = *inside_;
  {
    std::lock_guard lock(inside.mutex);
    inside.waiting.push_back(std::move(work));
    if (inside.idle < inside.waiting.size() && inside.threads.size() < inside.most) {
      inside.threads.emplace_back([&inside] { inside.work(); });
    }
  }
  inside.arrived.notify_one();
}

void parallel_for(std::size_t count, std::size_t smallest_piece, unsigned threads,
                  const std::function<void(std::size_t, std::size_t)>& body) {
  if (count == 0) return;
  const std::size_t smallest = std::max<std::size_t>(smallest_piece, 1);
  const std::size_t workers = std::min<std::size_t>(std::max(threads, 1U), (count + smallest - 1) / smallest);
  if (workers == 1) return body(0, count);
  // A few pieces for each thread, so that one slow piece does not leave the others waiting.
  const std::size_t piece = std::max(smallest, (count + 4 * workers - 1) / (4 * workers));
  std::atomic<std::size_t> next = 0;
  const auto take = [&] {
    for (std::size_t begin = next.fetch_add(piece); begin < count; begin = next.fetch_add(piece)) {
      body(begin, std::min(begin + piece, count));
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < workers; ++i) others.emplace_back(take);
  take();
}

}  // namespace trainmake
