#include "engine/cli/hold.h"

#include <chrono>

#include "engine/base/text.h"

namespace trainmake {

Result<FileLock> hold_workspace(Session& session, FileLock::Mode mode, std::stop_token stop) {
  const std::string path = path_join(session.workspace().cache, "lock");
  for (bool told = false;; told = true) {
    TRY_ASSIGN(std::optional<FileLock> lock, FileLock::try_lock(path, mode));
    if (lock) return *std::move(lock);
    if (session.line().has("--no-wait"))
      return fail(user_error("Another trainmake holds the workspace", "Leave out `--no-wait` to wait for it")
                      .because(Blame::kBusy));
    if (!told) write_stderr("waiting for another trainmake, which holds the workspace\n");
    if (session.host().clock.wait(std::chrono::milliseconds(100), stop))
      return fail(user_error("Interrupted while it waited").because(Blame::kInterrupted));
  }
}

Result<std::optional<FileLock>> try_hold_step(Session& session, const Label& label) {
  return FileLock::try_lock(
      path_join(session.workspace().cache, cat("locks/", digest_of(label.text()).hex())),
      FileLock::Mode::kExclusive);
}

}  // namespace trainmake
