#include "rules/job/readers.h"

#include "rules/job/provenance.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

template <typename Asked>
auto asked_of(const Doing& doing, const Asked& ask) {
  std::optional<decltype(ask())> answer;
  doing.on_owner([&] { answer = ask(); });
  return *std::move(answer);
}

// Lost, when nobody is at it, and its platform has no such job and will have none.
Result<Run> settle_intent(const ReaderServices& services, Run run, const Doing& doing) {
  TRY_ASSIGN(const std::optional<FileLock> step, services.hold_run(run));
  if (!step) return run;
  TRY_ASSIGN(const std::optional<Run> now, asked_of(doing, [&] { return services.runs.get(run.id); }));
  if (!now || !is_intent(*now)) return now.value_or(std::move(run));
  const JobHandle job = JobHandle::of(*now);
  const auto status = services.platform.poll(job);
  if (!status || status->known || status->may_appear) return run;
  Run lost = not_handed_over(*now);
  lost.ended_ns = services.clock.now_ns();
  TRY(asked_of(doing, [&] { return services.runs.put(lost); }));
  TRY(services.platform.settled(job, lost.status, {}));
  return lost;
}

}  // namespace

Result<std::optional<Run>> reader_of(const ReaderServices& services, const std::string& store,
                                     const Doing& doing) {
  TRY_ASSIGN(std::vector<Run> in_flight, asked_of(doing, [&] { return services.runs.in_flight(); }));
  for (Run& run : in_flight) {
    if (is_over(run.status) || !reads_from(run, store)) continue;
    const bool is_ours = run.platform == services.platform_name;
    if (is_ours) run = settle(services.platform, services.clock, std::move(run));
    if (is_ours && is_intent(run)) {
      TRY_ASSIGN(run, settle_intent(services, std::move(run), doing));
    }
    if (!is_over(run.status)) return std::optional(std::move(run));
  }
  return std::optional<Run>();
}

}  // namespace trainmake
