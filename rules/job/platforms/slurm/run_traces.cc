#include "rules/job/platforms/slurm/run_traces.h"

#include "engine/base/text.h"
#include "rules/job/note_files.h"

namespace trainmake {

Result<SlurmTraces> traces_of(FileSystem& files, const SlurmRun& run) {
  SlurmTraces traces;
  TRY_ASSIGN(const std::string ticket, text_at(files, run.ticket()));
  traces.ticket = SlurmTicket::of(ticket);
  TRY_ASSIGN(traces.number, text_at(files, run.number()));
  TRY_ASSIGN(const Stat owner, files.look(run.owner()));
  if (owner.is(FileKind::kLink)) {
    TRY_ASSIGN(traces.owner, files.read_link(run.owner()));
  }
  TRY_ASSIGN(const std::string started, text_at(files, run.started()));
  traces.started_ns = whole_number<std::int64_t>(started).value_or(0);
  TRY_ASSIGN(traces.end, text_at(files, run.end()));
  TRY_ASSIGN(traces.cancel_asked, is_there(files, run.cancel()));
  TRY_ASSIGN(const std::string exit, text_at(files, run.exit()));
  traces.exit = parse_slurm_exit(exit);
  if (!traces.exit) {
    TRY_ASSIGN(const Stat ended, files.look(run.ended()));
    if (ended.is(FileKind::kLink)) {
      TRY_ASSIGN(const std::string text, files.read_link(run.ended()));
      traces.exit = parse_slurm_ended(text);
    }
  }
  if (!traces.exit) return traces;
  TRY_ASSIGN(const bool timed_out, is_there(files, run.timed_out()));
  if (!timed_out) return traces;
  TRY_ASSIGN(const std::string limit, text_at(files, run.timed_out()));
  traces.timed_out_s = whole_number<std::int64_t>(limit).value_or(1);
  return traces;
}

Result<SlurmTraces> KnownTraces::of(const SlurmRun& run) {
  constexpr std::int64_t kMoment_ns = 2'000'000'000;
  const std::int64_t now_ns = clock_.steady_ns();
  TRY_ASSIGN(const Stat folder, files_.look(run.top));
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(run.top);
    if (known != known_.end() && known->second.is_sound && known->second.mtime_ns == folder.mtime_ns)
      return known->second.traces;
  }
  TRY_ASSIGN(SlurmTraces traces, traces_of(files_, run));
  const std::lock_guard lock(mutex_);
  Known& known = known_[run.top];
  if (known.since_ns == 0 || known.mtime_ns != folder.mtime_ns) known.since_ns = now_ns;
  known.mtime_ns = folder.mtime_ns;
  known.is_sound = now_ns - known.since_ns >= kMoment_ns;
  known.traces = traces;
  return traces;
}

}  // namespace trainmake
