#include "rules/job/rehearsal.h"

#include <algorithm>
#include <chrono>

#include "engine/base/secrets.h"
#include "engine/base/text.h"
#include "rules/job/parameters.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

constexpr std::chrono::milliseconds kFirstPause{20}, kLongestPause{500};

Fingerprint fingerprint_of(const Fingerprint& job, const RehearsalPlan& rehearsal) {
  Hasher hasher;
  hasher.field("preflight").number(job.high).number(job.low);
  hasher.number(static_cast<std::uint64_t>(rehearsal.steps));
  for (const auto& [name, value] : rehearsal.params) {
    const Digest128 digest = digest_of_parameter(value);
    hasher.field(name).number(digest.high).number(digest.low);
  }
  return hasher.finish();
}

JobSpec spec_of(const JobPlan& plan, const RehearsalPlan& rehearsal, const std::string& id) {
  JobSpec spec = plan.spec;
  spec.run = id;
  spec.key = cat("trainmake-", id);
  spec.checkpoint = cat("preflight-", id);  // the job does not go on where this stops
  spec.timeout_s = rehearsal.timeout_s;
  spec.environment[kStepsVariable] = cat(rehearsal.steps);
  for (const auto& replaced : rehearsal.params) {
    std::erase_if(spec.params, [&](const auto& param) { return param.first == replaced.first; });
    spec.params.push_back(replaced);
  }
  std::sort(spec.params.begin(), spec.params.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return spec;
}

Error failure(Platform& here, const JobPlan& plan, const Run& run, const Redactor& redactor) {
  const LastLines last_lines = last_lines_of(here, run, redactor);
  std::string message = cat("Preflight of ", quoted(plan.shortest), " failed: ", redactor.redact(run.reason));
  for (const std::string& line : last_lines.all()) message += cat("\n  ", printable(line));
  return step_error(std::move(message), cat("Nothing was submitted; the job was told to stop early by ",
                                            kStepsVariable, " and `preflight.params`"));
}

}  // namespace

RehearsalPlan rehearsal_of(const Target& job) {
  RehearsalPlan rehearsal;
  const Value* said = job.find("preflight");
  if (said == nullptr) return rehearsal;
  const Table& table = *said->table();
  if (const Value* steps = table.find("steps")) rehearsal.steps = *steps->integer();
  if (const Value* timeout = table.find("timeout"))
    rehearsal.timeout_s = seconds_of(*timeout).value_or(rehearsal.timeout_s);
  if (const Value* params = table.find("params")) rehearsal.params = params->table()->fields;
  return rehearsal;
}

Result<void> rehearse(Platform& here, Host& host, const JobPlan& plan, const RehearsalPlan& rehearsal,
                      const Doing& doing) {
  Run run;
  run.label = *parse_label(plan.spec.label, "");
  run.platform = "local";
  run.id = run_id_of(run.label, fingerprint_of(doing.fingerprint, rehearsal), 1);
  run.key = cat("trainmake-", run.id);
  const JobSpec spec = spec_of(plan, rehearsal, run.id);
  const Redactor redactor = redactor_of(host.environment, spec.secrets);
  const auto settle_it = [&] {
    std::vector<std::string> left;
    for (const auto& [name, path] : spec.outputs) left.push_back(path);
    return here.settled(JobHandle::of(run), run.status, left);
  };

  run = settle(here, host.clock, std::move(run));
  if (run.status == RunStatus::kSucceeded) return {};
  if (run.status == RunStatus::kLost) TRY(here.cancel(JobHandle::of(run)));
  if (is_over(run.status)) TRY(settle_it());  // so that it is begun anew
  TRY_ASSIGN(const Secrets secrets, secrets_of(host.environment, spec.secrets, plan.shortest));
  doing.events(
      Message{run.label, cat("Preflight: ", plural(static_cast<std::uint64_t>(rehearsal.steps), "step"),
                             " on this machine first")});
  run.status = RunStatus::kQueued;
  TRY_ASSIGN(run.job, std::move(here.submit_all({{spec, secrets, {doing.stop}}}).front()));
  for (auto pause = kFirstPause;; pause = std::min(pause * 3 / 2, kLongestPause)) {
    run = settle(here, host.clock, std::move(run));
    if (is_over(run.status)) break;
    if (!host.clock.wait(pause, doing.stop)) continue;
    TRY_ASSIGN(run, cancel(here, host.clock, run));
    TRY(settle_it());
    return fail(
        user_error("The preflight was interrupted, and nothing was submitted").because(Blame::kInterrupted));
  }
  TRY(settle_it());
  if (run.status != RunStatus::kSucceeded) return fail(failure(here, plan, run, redactor));
  return {};
}

}  // namespace trainmake
