#include "rules/job/attempt.h"

#include <algorithm>
#include <chrono>

#include "engine/base/secrets.h"
#include "engine/base/text.h"
#include "rules/job/in_place.h"
#include "rules/job/outputs.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{20}, kLongestPause{500}, kLongestPauseInTrouble{30'000};
constexpr int kLooksInItsTime = 50;  // an end is noticed late by a fiftieth of what the job took

std::string names_of(const std::vector<std::string>& paths) {
  std::vector<std::string> shown;
  for (const std::string& path : paths) {
    if (shown.size() == 3) break;
    shown.push_back(quoted(path));
  }
  const std::string more =
      paths.size() > shown.size() ? cat(" and ", paths.size() - shown.size(), " more") : "";
  return join(shown, ", ") + more;
}

// Between two looks at a job that has been watched for `watched_ns`, on a platform that is near.
milliseconds pause_after(std::int64_t watched_ns) {
  return std::clamp(milliseconds(watched_ns / 1'000'000 / kLooksInItsTime), kFirstPause, kLongestPause);
}

std::string duration_of(const Run& run) {
  return human_duration(std::max<std::int64_t>(0, run.ended_ns - run.started_ns) / 1'000'000);
}

}  // namespace

Error failure_of(const Run& run, const std::string& label, const LastLines& last_lines, Told told) {
  std::string message = cat(quoted(label), run.status == RunStatus::kCancelled ? " was cancelled"
                                           : run.status == RunStatus::kLost    ? " was lost: "
                                                                               : " failed: ");
  if (run.status != RunStatus::kCancelled) message += run.reason;
  if (told == Told::kLater) message += "; nothing changed since, so it was not tried again";
  for (const std::string& line : last_lines.all()) message += cat("\n  ", printable(line));
  const bool again = run.status == RunStatus::kLost;
  return step_error(std::move(message),
                    cat("`trainmake ", shell_word(label), again ? "`" : " --retry`", " tries again",
                        run.started_ns != 0 ? cat(", `trainmake logs ", run.id, "` shows all it said") : ""));
}

Attempt::Attempt(const JobServices& services, const JobPlan& plan, const Doing& doing, Metrics metrics,
                 std::optional<std::vector<GivenTree>> given, Run run)
    : services_(services),
      plan_(plan),
      doing_(doing),
      metrics_(std::move(metrics)),
      given_(std::move(given)),
      run_(std::move(run)),
      redactor_(redactor_of(services.host.environment, plan.spec.secrets)) {}

Result<void> Attempt::hand_over(bool is_new) {
  if (is_new) {
    if (services_.platform.traits.reads_in_place) {
      TRY_ASSIGN(sight_, sight_of(services_.host, services_.workspace, plan_.spec.data));
    }
    return submit();
  }
  const auto status = services_.platform.poll(JobHandle::of(run_));
  // One that waits may have lost whoever was to start it; submitting it again starts it once.
  if (status && (!status->known || status->status == RunStatus::kQueued)) {
    if (!status->known && run_.status == RunStatus::kQueued) {
      // There is nothing of it: it is given this, and begins now.
      run_.provenance_json = plan_.provenance_json;
      given_ = plan_.spec.data;
      if (services_.platform.traits.reads_in_place) {
        TRY_ASSIGN(sight_, sight_of(services_.host, services_.workspace, *given_));
      }
      TRY(remember());
    }
    if (status->known || run_.status == RunStatus::kQueued) return submit();
  }
  had_ended_ = status && is_over(status->status);
  say(cat(had_ended_ ? "Ended while nobody looked, as run " : "Found in flight, as run ", run_.id));
  return {};
}

Result<void> Attempt::submit() {
  auto secrets = secrets_of(services_.host.environment, plan_.spec.secrets, plan_.shortest);
  if (!secrets) return fail(std::move(secrets).error().at(plan_.secrets_at));
  JobSpec spec = plan_.spec;
  spec.run = run_.id;
  spec.key = run_.key;
  const auto before = services_.platform.poll(JobHandle::of(run_));
  auto job = services_.platform.submit(spec, *secrets);
  if (!job) {
    if (job.error().blame == Blame::kRemote)
      return fail(std::move(job).error());  // it may have started: it is looked for next time
    run_.status = RunStatus::kFailed;
    run_.reason = cat("could not be started: ", job.error().message);
    run_.ended_ns = services_.host.clock.now_ns();
    TRY(remember());
    return fail(std::move(job).error());
  }
  if (before && !before->known) ++doing_.tally.submitted;
  run_.job = *job;
  return remember();
}

Result<bool> Attempt::watch() {
  Clock& clock = services_.host.clock;
  const std::int64_t began_ns = clock.steady_ns();
  milliseconds pause = kFirstPause;
  bool trouble = false;
  for (;;) {
    auto status = services_.platform.poll(JobHandle::of(run_));
    if (!status) {
      if (!trouble) say(cat("Cannot tell how it goes, and will ask again: ", status.error().message));
      trouble = true;
    } else {
      trouble = false;
      read_log();
      Run now = as_told(run_, *status, clock.now_ns());
      now.reason = redactor_.redact(now.reason);
      if (now.status == RunStatus::kUnknown) now.status = run_.status;
      // Till nothing of it goes on it is not over: another would run beside it.
      if (now.status == RunStatus::kLost && status->known)
        TRY(services_.platform.cancel(JobHandle::of(run_)));
      const bool is_news = now.status != run_.status;
      run_ = std::move(now);
      if (is_over(run_.status)) return true;
      if (is_news) TRY(remember());
    }
    if (!doing_.wait || clock.wait(pause, doing_.stop)) return false;
    pause = services_.platform.traits.is_near && !trouble
                ? pause_after(clock.steady_ns() - began_ns)
                : std::min(pause * 3 / 2, trouble ? kLongestPauseInTrouble : kLongestPause);
  }
}

Result<void> Attempt::conclude() {
  read_log();
  lines_.finish([this](std::string_view line) { take_line(line); });
  run_.metrics = metrics_.values();
  if (run_.status == RunStatus::kSucceeded) {
    for (const std::string& name : metrics_.silent())
      say(cat("Metric ", quoted(name), " found no number in the log"));
    TRY(keep_result());
  }
  TRY(check_data());
  TRY(remember());
  std::vector<std::string> stored;
  for (const RunOutput& output : run_.outputs) stored.push_back(output.path);
  // Its result is safe: what cannot be tidied up now is left to gc.
  if (auto settled = services_.platform.settled(JobHandle::of(run_), run_.status, stored); !settled)
    say(settled.error().message);
  return {};
}

Result<void> Attempt::keep_result() {
  TRY_ASSIGN(const std::string folder, services_.platform.outputs(JobHandle::of(run_)));
  TRY_ASSIGN(KeptOutputs kept,
             keep_outputs(services_.host.files, services_.blobs, folder, plan_.spec.outputs, doing_.stop));
  run_.outputs = std::move(kept.outputs);
  if (kept.wrong.empty()) return {};
  run_.status = RunStatus::kFailed;
  run_.reason = std::move(kept.wrong);
  return {};
}

Result<void> Attempt::check_data() {
  if (!services_.platform.traits.reads_in_place) return {};
  if (run_.started_ns == 0 && run_.status != RunStatus::kSucceeded) return {};
  if (!given_) {
    run_.reusable = false;
    run_.reason += cat(run_.reason.empty() ? "" : "; ", "what data it was given is not known any more");
    return {};
  }
  // From the intent on, not from the start: in between the platform may look where links lead.
  TRY_ASSIGN(const InPlace found, look_in_place(services_.host, services_.workspace, services_.digests,
                                                *given_, {run_.created_ns, std::move(sight_)}));
  const bool changed = !found.changed.empty();
  const std::vector<std::string>& paths = changed ? found.changed : found.doubtful;
  if (paths.empty()) return {};
  run_.reusable = false;
  run_.reason +=
      cat(run_.reason.empty() ? "" : "; ", names_of(paths),
          changed ? " changed" : " was written, moved or touched, and may have been something else,",
          " while the job read ", paths.size() == 1 ? "it" : "them");
  return {};
}

Result<void> Attempt::remember() {
  Result<void> put;
  doing_.on_owner([&] { put = services_.runs.put(run_); });
  return put;
}

// What cannot be read now is read the next time, from where this one stopped.
void Attempt::read_log() {
  for (;;) {
    const auto bytes = next_of_log(services_.platform, run_, log_read_);
    if (!bytes || bytes->empty()) return;
    lines_.add(*bytes, [this](std::string_view line) { take_line(line); });
  }
}

void Attempt::take_line(std::string_view line) {
  std::string text = redactor_.redact(line);
  if (std::string told = metrics_.line(text); !told.empty()) say(std::move(told));
  last_lines_.add(text);
  doing_.events(LogLine{run_.label, std::move(text)});
}

void Attempt::say(std::string text) { doing_.events(Message{run_.label, std::move(text)}); }

Error Attempt::failure() const {
  if (run_.status != RunStatus::kSucceeded) return failure_of(run_, plan_.shortest, last_lines_, Told::kNow);
  return step_error(
      cat("The result of ", quoted(plan_.shortest), " is not taken: ", run_.reason),
      cat("`trainmake ", shell_word(plan_.shortest), "` runs it again with the data as it is now"));
}

std::string Attempt::success() const {
  std::string note = cat("succeeded in ", duration_of(run_));
  for (const auto& [name, value] : run_.metrics) note += cat(", ", name, " ", number_text(value));
  return note;
}

}  // namespace trainmake
