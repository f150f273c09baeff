#include "rules/job/platforms/local/start_lock.h"

#include "engine/base/text.h"

namespace trainmake {

Result<std::optional<FileLock>> hold_undecided(FileSystem& files, Clock& clock, const RunFolder& run,
                                               const Decided& decided, std::chrono::nanoseconds patience) {
  constexpr std::chrono::milliseconds kPause{5};
  const std::int64_t began = clock.steady_ns();
  for (;;) {
    TRY_ASSIGN(const bool before, decided());
    if (before) return std::optional<FileLock>();
    TRY_ASSIGN(std::optional<FileLock> lock, files.lock(run.lock(), FileLock::Mode::kExclusive));
    if (lock) {
      TRY_ASSIGN(const bool meanwhile, decided());
      return meanwhile ? std::optional<FileLock>() : std::move(lock);
    }
    // Whoever holds it may yet die without a decision.
    if (clock.steady_ns() - began > patience.count()) break;
    clock.wait(kPause, {});
  }
  Error busy =
      step_error(cat("Run ", quoted(path_name(run.top)), " is being made ready by another trainmake"),
                 "Wait until it has started, or end that one; then try again");
  return fail(std::move(busy).because(Blame::kBusy));
}

}  // namespace trainmake
