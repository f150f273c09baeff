#include "rules/image/making.h"

#include "engine/base/hash.h"
#include "engine/base/text.h"

namespace trainmake {

Result<FileLock> Making::hold(const std::string& memo, const std::stop_token& stop,
                              const std::function<void()>& on_wait) const {
  const std::string path = path_join(cache_, cat("locks/", digest_of(memo).hex()));
  TRY_ASSIGN(std::optional<FileLock> lock,
             wait_for_lock(host_, path, FileLock::Mode::kExclusive, {stop, true, on_wait}));
  CHECK(lock.has_value());
  return *std::move(lock);
}

bool Making::has_made(const std::string& memo) const {
  const std::lock_guard lock(mutex_);
  return made_.contains(memo);
}

void Making::add(const std::string& memo) {
  const std::lock_guard lock(mutex_);
  made_.insert(memo);
}

}  // namespace trainmake
