#include "cache/stores/at_once.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace trainmake {

Result<void> at_once(std::size_t count, std::size_t threads,
                     const std::function<Result<void>(std::size_t)>& body) {
  std::mutex mutex;
  std::size_t next = 0;
  std::optional<Error> error;
  const auto work = [&] {
    for (;;) {
      std::size_t now = 0;
      {
        const std::lock_guard lock(mutex);
        if (error || next == count) return;
        now = next++;
      }
      if (Result<void> done = body(now); !done) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::move(done).error();
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < std::min(threads, count); ++i) others.emplace_back(work);
    work();
  }
  return error ? Result<void>(fail(*std::move(error))) : Result<void>();
}

}  // namespace trainmake
