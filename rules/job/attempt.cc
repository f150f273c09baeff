#include "rules/job/attempt.h"

#include <algorithm>
#include <chrono>

#include "engine/base/secrets.h"
#include "engine/base/text.h"
#include "rules/job/asked_again.h"
#include "rules/job/checkpoint.h"
#include "rules/job/in_place.h"
#include "rules/job/left_files.h"
#include "rules/job/outputs.h"
#include "rules/job/process_names.h"
#include "rules/job/provenance.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{20}, kLongestPause{500}, kLongestPauseInTrouble{30'000};
constexpr std::int64_t kLogPatience_ns = 3'600'000'000'000;  // of a job that is over
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
  const std::int64_t ms = std::max<std::int64_t>(0, run.ended_ns - run.started_ns) / 1'000'000;
  // Some platforms count whole seconds.
  return ms == 0 ? "less than 1 s" : human_duration(ms);
}

std::vector<Sha256> digests_of(const std::vector<RunOutput>& outputs) {
  std::vector<Sha256> digests;
  for (const RunOutput& output : outputs) {
    if (const auto digest = Sha256::parse(output.sha256)) digests.push_back(*digest);
  }
  return digests;
}

}  // namespace

Error failure_of(const Run& run, const std::string& label, const LastLines& last_lines,
                 const Telling& telling) {
  if (run.status == RunStatus::kSucceeded)
    return step_error(
        cat("The result of ", quoted(label), " is not taken: ", run.reason),
        cat("`trainmake ", telling.again, "` runs it again with the data as it is now", telling.advice));
  std::string message = cat(quoted(label), run.status == RunStatus::kCancelled ? " was cancelled"
                                           : run.status == RunStatus::kLost    ? " was lost: "
                                                                               : " failed: ");
  if (run.status != RunStatus::kCancelled) message += run.reason;
  const bool has_new_limits = !telling.new_limits.empty();
  if (telling.is_later)
    message += has_new_limits ? cat("; ", join(telling.new_limits, ", "),
                                    ", but limits are no part of a result, so it was not tried again")
                              : "; nothing changed since, so it was not tried again";
  for (const std::string& line : last_lines.all()) message += cat("\n  ", printable(line));
  const bool is_tried_again = run.status == RunStatus::kLost || !run.repeats.empty();
  return step_error(std::move(message),
                    cat("`trainmake ", telling.again, is_tried_again ? "`" : " --retry`",
                        has_new_limits ? " tries with that" : " tries again",
                        run.started_ns != 0 ? cat(", `trainmake logs ", run.id, "` shows all it said") : ""));
}

std::optional<RunStatus> end_told_by(const Error& error, const std::string& label) {
  const std::string name = quoted(label);
  for (const auto& [beginning, status] :
       {std::pair(cat(name, " failed: "), RunStatus::kFailed),
        std::pair(cat(name, " was cancelled"), RunStatus::kCancelled),
        std::pair(cat(name, " was lost: "), RunStatus::kLost),
        std::pair(cat("The result of ", name, " is not taken: "), RunStatus::kSucceeded)}) {
    if (error.message.starts_with(beginning)) return status;
  }
  return std::nullopt;
}

std::string success_of(const Run& run) {
  std::string note = cat("succeeded in ", duration_of(run));
  for (const auto& [name, value] : run.metrics) note += cat(", ", name, " ", number_text(value));
  if (!run.reason.empty()) note += cat("; ", run.reason);
  return note;
}

std::string left_running(const std::string& label) {
  const std::string shown = shell_word(label);
  return cat("Left running; `trainmake attach ", shown, "` comes back to it, `trainmake cancel ", shown,
             "` ends it");
}

Attempt::Attempt(const JobServices& services, const JobPlan& plan, const Doing& doing, Metrics metrics,
                 std::optional<std::vector<GivenTree>> given, Run run)
    : services_(services),
      plan_(plan),
      doing_(doing),
      metrics_(std::move(metrics)),
      given_(std::move(given)),
      run_(std::move(run)),
      pause_(kFirstPause),
      redactor_(redactor_of(services.host.environment, plan.spec.secrets)),
      lines_told_(doing.told.run == run_.id ? doing.told.lines : 0) {}

Result<bool> Attempt::take_up(bool is_new) {
  if (is_new) {
    if (services_.platform.traits.reads_in_place) {
      TRY_ASSIGN(sight_, sight_of(services_.host, services_.workspace, plan_.spec.data));
    }
    return true;
  }
  const auto status = services_.platform.poll(JobHandle::of(run_), patience());
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
    if (status->known || run_.status == RunStatus::kQueued) return true;
  }
  had_ended_ = status && is_over(status->status);
  doing_.events(
      Attached{run_.label, run_.id,
               cat(had_ended_ ? "Ended while nobody looked, as run " : "Found in flight, as run ", run_.id)});
  return false;
}

Result<Submission> Attempt::submission() {
  auto secrets = secrets_of(services_.host.environment, plan_.spec.secrets, plan_.shortest);
  if (!secrets) return fail(std::move(secrets).error().at(plan_.secrets_at));
  Submission submission{plan_.spec, *std::move(secrets), patience()};
  submission.spec.run = run_.id;
  submission.spec.key = run_.key;
  submission.spec.job = run_.job;
  const auto before = services_.platform.poll(JobHandle::of(run_), patience());
  is_first_ = before && !before->known;
  had_ended_ = before && before->known && is_over(before->status);
  return submission;
}

Result<void> Attempt::submitted(Result<std::string> job) {
  if (!job) {
    if (job.error().blame == Blame::kInterrupted)
      say(cat("Interrupted on its way: the next `trainmake ", again(),
              "` looks whether it was started, and starts it if not"));
    const bool is_refused = job.error().blame == Blame::kRemote && job.error().lasts;
    if (!is_refused && (job.error().blame == Blame::kRemote || job.error().blame == Blame::kInterrupted)) {
      TRY(remember_why_not(job.error()));
      return fail(std::move(job).error());  // it may have started: it is looked for next time
    }
    run_.status = RunStatus::kFailed;
    run_.reason = redactor_.redact(cat("could not be started: ", job.error().message));
    run_.ended_ns = services_.host.clock.now_ns();
    TRY(remember());
    return fail(std::move(job).error());
  }
  if (is_first_) ++doing_.tally.submitted;
  run_.job = *std::move(job);
  run_.reason.clear();
  return remember();
}

// For whoever looks at an intent that its platform turns out to know nothing of.
Result<void> Attempt::remember_why_not(const Error& error) {
  if (!is_intent(run_)) return {};
  run_.reason = error.blame == Blame::kInterrupted
                    ? "it was interrupted before it was handed over"
                    : redactor_.redact(cat("it was not handed over: ", error.message));
  return remember();
}

Result<void> Attempt::hand_over(bool is_new) {
  TRY_ASSIGN(const bool to_be_started, take_up(is_new));
  if (!to_be_started) return {};
  TRY_ASSIGN(const Submission asked, submission());
  return submitted(std::move(services_.platform.submit_all({asked}).front()));
}

Result<Seen> Attempt::look() {
  Clock& clock = services_.host.clock;
  if (watched_since_ns_ == 0) watched_since_ns_ = clock.steady_ns();
  auto status = services_.platform.poll(JobHandle::of(run_), patience());
  if (!status && status.error().blame == Blame::kInterrupted) return Seen::kLeft;
  if (!status) {
    if (!is_in_trouble_) say(cat("Cannot tell how it goes, and will ask again: ", status.error().message));
  } else {
    // What cannot be read now is read the next time.
    const auto read = read_log();
    if (!read && read.error().blame == Blame::kInterrupted) return Seen::kLeft;
    Run now = as_told(run_, *status, clock.now_ns());
    now.reason = redactor_.redact(now.reason);
    if (now.status == RunStatus::kUnknown) now.status = run_.status;
    // Till nothing of it goes on it is not over: another would run beside it.
    if (now.status == RunStatus::kLost && status->known) {
      auto ended = services_.platform.cancel(JobHandle::of(run_), patience());
      if (!ended && ended.error().blame == Blame::kInterrupted) return Seen::kLeft;
      TRY(std::move(ended));
    }
    const bool is_news = now.status != run_.status;
    if (now.status == RunStatus::kQueued && !now.reason.empty() && now.reason != run_.reason)
      say(cat("Queued: ", now.reason));
    if (now.status == RunStatus::kRunning && !now.reason.empty() && now.reason != run_.reason)
      say(now.reason);
    run_ = std::move(now);
    if (is_over(run_.status)) return Seen::kOver;
    if (is_news) TRY(remember());
  }
  is_in_trouble_ = !status;
  if (!doing_.wait || is_stopped()) return Seen::kLeft;
  pause_ = services_.platform.traits.is_near && !is_in_trouble_
               ? pause_after(clock.steady_ns() - watched_since_ns_)
               : std::min(pause_ * 3 / 2, is_in_trouble_ ? kLongestPauseInTrouble : kLongestPause);
  return Seen::kGoesOn;
}

Result<bool> Attempt::watch() {
  while (true) {
    TRY_ASSIGN(const Seen seen, look());
    if (seen != Seen::kGoesOn) return seen == Seen::kOver;
    if (services_.host.clock.wait(pause_, doing_.stop)) return false;
  }
}

Result<void> Attempt::conclude() {
  TRY(read_log_to_its_end());
  lines_.finish([this](std::string_view line) { take_line(line); });
  if (!metrics_.files().empty() && run_.started_ns != 0) {
    const auto left = left_files({});
    if (!left && left.error().blame == Blame::kInterrupted) return fail(left.error());
    if (left) metrics_.read_files(*left);
  }
  run_.metrics = metrics_.values();
  run_.curves = metrics_.curves();
  if (run_.status == RunStatus::kSucceeded) {
    for (const std::string& silent : metrics_.silent()) say(cat("Metric ", silent));
    TRY(keep_result());
  }
  TRY(keep_checkpoint());
  TRY(check_data());
  promise();
  return remember_end();
}

Result<bool> Attempt::keep_late() {
  run_.status = RunStatus::kSucceeded;
  run_.reason.clear();
  TRY(keep_result());
  promise();
  return run_.status == RunStatus::kSucceeded;
}

Result<void> Attempt::remember_end() {
  // What the platform has of it goes once it is settled.
  TRY(services_.blobs.sync(digests_of(run_.outputs)));
  TRY(remember());
  std::vector<std::string> stored;
  for (const RunOutput& output : run_.outputs) stored.push_back(output.path);
  // Its result is safe: what cannot be tidied up now is left to gc.
  if (auto settled = services_.platform.settled(JobHandle::of(run_), run_.status, stored); !settled)
    say(settled.error().message);
  return {};
}

Result<LeftFiles> Attempt::left_files(std::vector<std::string> also) const {
  for (const std::string& file : metrics_.files()) also.push_back(file);
  return left_by(services_.platform, services_.host.files, services_.space, run_, also, doing_.stop);
}

// What lies there instead of an output that is missing.
Result<std::string> Attempt::told_left(const LeftFiles& left) {
  TRY_ASSIGN(std::vector<std::string> paths, services_.platform.paths_left(JobHandle::of(run_), doing_.stop));
  if (paths.empty()) {
    TRY_ASSIGN(paths, paths_in(left));
  }
  left_nothing_ = paths.empty();
  left_other_names_ = std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
    return std::none_of(plan_.spec.outputs.begin(), plan_.spec.outputs.end(),
                        [&](const auto& output) { return path_below(path, output.second).has_value(); });
  });
  if (left_nothing_) return std::string("; its output folder is empty");
  promise_ = "; once `outputs` names what is there, it is taken without another run";
  return cat("; in its output folder ", paths.size() == 1 ? "is " : "are ", names_of(paths));
}

// Said where it is kept: of what is a result.
void Attempt::promise() {
  if (run_.reusable) run_.reason += promise_;
}

Result<void> Attempt::keep_result() {
  // Those that were not declared when it was submitted are not brought by themselves.
  std::vector<std::string> wanted;
  for (const auto& [name, path] : plan_.spec.outputs) wanted.push_back(path);
  TRY_ASSIGN(const LeftFiles left, left_files(std::move(wanted)));
  TRY_ASSIGN(KeptOutputs kept, keep_outputs(left, services_.blobs, plan_.spec.outputs, doing_.stop));
  run_.outputs = std::move(kept.outputs);
  if (kept.wrong.empty()) return {};
  run_.status = RunStatus::kFailed;
  run_.reason = std::move(kept.wrong);
  if (!kept.is_missing) return {};
  if (auto told = told_left(left))
    run_.reason += *told;
  else if (told.error().blame == Blame::kInterrupted)
    return fail(std::move(told).error());
  if (services_.platform.traits.reads_stores)
    run_.reason += cat("; `trainmake pull ", run_.id, " --all` brings all that it left");
  run_.reason = redactor_.redact(run_.reason);  // names of files, too
  return {};
}

// However it ended: the next run goes on from it.
Result<void> Attempt::keep_checkpoint() {
  TRY_ASSIGN(const std::string wrong, keep_checkpoint_of(services_.platform, services_.host.files,
                                                         services_.blobs, run_, doing_.stop));
  if (!wrong.empty()) say(cat("Its checkpoint cannot be kept: ", wrong));
  return {};
}

// It is no result that another run would have.
void Attempt::doubt(const std::string& why) {
  run_.reusable = false;
  run_.reason += cat(run_.reason.empty() ? "" : "; ", why);
}

Result<void> Attempt::check_data() {
  const PlatformTraits& traits = services_.platform.traits;
  if (!traits.reads_in_place && !traits.reads_stores) return {};
  if (run_.started_ns == 0 && run_.status != RunStatus::kSucceeded) return {};
  if (!given_) {
    doubt("what data it was given is not known any more");
    return {};
  }
  return traits.reads_in_place ? check_files() : check_stores();
}

// What cannot be asked for now is when the run is concluded the next time.
Result<void> Attempt::check_stores() {
  for (const GivenTree& tree : *given_) {
    if (tree.mark.empty()) continue;
    CHECK(services_.is_as_marked != nullptr);
    TRY_ASSIGN(const bool is_as_it_was, services_.is_as_marked(tree));
    if (is_as_it_was) continue;
    doubt(cat(quoted(tree.label), " was replaced in ", quoted(tree.store.substr(tree.store.find(':') + 1)),
              " while the job could read it"));
    const bool is_ours = tree.store.find("://") == tree.store.npos;
    advice_ = is_ours ? "; `snapshot = true` of the data keeps what is sent from being replaced"
                      : "; who writes there may choose a folder of its own for each content";
  }
  return {};
}

Result<void> Attempt::check_files() {
  // From the intent on, not from the start: in between the platform may look where links lead.
  TRY_ASSIGN(const InPlace found, look_in_place(services_.host, services_.workspace, services_.digests,
                                                *given_, {run_.created_ns, std::move(sight_)}));
  const bool changed = !found.changed.empty();
  const std::vector<std::string>& paths = changed ? found.changed : found.doubtful;
  if (paths.empty()) return {};
  doubt(cat(names_of(paths),
            changed ? " changed" : " was written, moved or touched, and may have been something else,",
            " while the job read ", paths.size() == 1 ? "it" : "them"));
  return {};
}

Result<void> Attempt::remember() {
  Result<void> put;
  doing_.on_owner([&] { put = services_.runs.put(run_); });
  return put;
}

// From where the last one stopped.
Result<void> Attempt::read_log() {
  for (;;) {
    TRY_ASSIGN(const std::string bytes, next_of_log(services_.platform, run_, log_read_, doing_.stop));
    if (bytes.empty()) return {};
    lines_.add(bytes, [this](std::string_view line) { take_line(line); });
  }
}

// A metric that stands in what cannot be read now is none that it does not have: till that is too long ago,
// the run is concluded by the next one who asks.
Result<void> Attempt::read_log_to_its_end() {
  auto read = read_log();
  if (read || read.error().blame == Blame::kInterrupted) return read;
  Error error = std::move(read).error();
  error.message = cat("What run ", run_.id, " printed cannot be read to its end: ", error.message);
  const bool is_late = services_.host.clock.now_ns() - run_.ended_ns > kLogPatience_ns;
  if (error.blame == Blame::kRemote && metrics_.reads_log() && !is_late)
    return fail(
        std::move(error).advise("Run it again: it is over, and its metrics are read when that is well"));
  say(std::move(error.message));
  return {};
}

void Attempt::take_line(std::string_view line) {
  std::string text = redactor_.redact(line);
  if (std::string told = metrics_.line(text); !told.empty()) say(std::move(told));
  last_lines_.add(text);
  if (lines_told_ > 0)
    --lines_told_;
  else
    doing_.events(LogLine{run_.label, std::move(text)});
}

std::string Attempt::again() const { return asked_again(plan_.shortest, run_, services_.space); }

// Whoever was told that it is in trouble knows that it takes long.
Patience Attempt::patience() {
  if (is_in_trouble_) return {doing_.stop};
  return {doing_.stop, [label = run_.label, events = doing_.events](std::string text) {
            events(Message{label, std::move(text)});
          }};
}

void Attempt::say(std::string text) { doing_.events(Message{run_.label, std::move(text)}); }

Error Attempt::failure() const {
  Telling telling{again()};
  telling.advice = advice_;
  const bool is_of_many = !process_named_by(run_.reason).empty();
  return failure_of(
      run_, plan_.shortest,
      is_of_many ? last_lines_of(services_.platform, run_, redactor_, doing_.stop) : last_lines_, telling);
}

}  // namespace trainmake
