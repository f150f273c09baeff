#include "engine/cli/hold.h"

#include "engine/base/file_lock.h"
#include "engine/base/text.h"
#include "rules/job/outputs.h"

namespace trainmake {

Result<FileLock> hold_workspace(Session& session, FileLock::Mode mode, std::stop_token stop) {
  const auto tell = [] { write_stderr("waiting for another trainmake, which holds the workspace\n"); };
  TRY_ASSIGN(std::optional<FileLock> lock,
             wait_for_lock(session.host(), path_join(session.workspace().cache, "lock"), mode,
                           {std::move(stop), !session.line().has("--no-wait"), tell}));
  if (lock) return *std::move(lock);
  return fail(user_error("Another trainmake holds the workspace", "Leave out `--no-wait` to wait for it")
                  .because(Blame::kBusy));
}

Result<std::optional<FileLock>> try_hold_step(Session& session, const Label& label,
                                              const std::optional<Fingerprint>& work) {
  return session.step_locks().try_lock(work ? cat(label.text(), "\n", work->hex()) : label.text());
}

Result<std::optional<FileLock>> try_hold_run(Session& session, const Run& run) {
  return try_hold_step(session, run.label, work_of_job(run.manifest));
}

}  // namespace trainmake
