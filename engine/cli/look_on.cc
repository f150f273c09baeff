#include "engine/cli/look_on.h"

#include <algorithm>
#include <chrono>

#include "engine/base/log_lines.h"
#include "engine/base/text.h"
#include "engine/cli/live_run.h"
#include "rules/job/attempt.h"
#include "rules/job/outputs.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

constexpr std::int64_t kMs_ns = 1'000'000;
constexpr std::int64_t kNear_ns = 100 * kMs_ns, kFar_ns = 500 * kMs_ns;  // between two looks

class JobOnlooker final : public Onlooker {
 public:
  JobOnlooker(Session& session, Platform& platform, const Target& job, Manifest manifest, const Doing& doing)
      : session_(session),
        platform_(platform),
        job_(job),
        manifest_(std::move(manifest)),
        doing_(doing),
        redactor_(redactor_of(session.host().environment, job.strings("secrets"))) {}

  bool look() override {
    const std::int64_t now_ns = session_.host().clock.steady_ns();
    if (now_ns >= due_ns_) {
      look_now();
      due_ns_ = now_ns + (platform_.traits.is_near ? kNear_ns : kFar_ns);
    }
    return run_.has_value();
  }

  std::optional<Result<Done>> end() override {
    if (run_) look_now();
    if (!run_) return std::nullopt;
    if (!is_over(run_->status)) {
      if (!doing_.stop.stop_requested()) return std::nullopt;
      doing_.events(Message{run_->label,
                            left_running(typed_for(session_.state(), *run_, session_.shown(run_->label)))});
      return Done{{}, cat("run ", run_->id), true, run_->id};
    }
    // Of one with other `outputs` only what it left may be another matter.
    if (run_->fingerprint != doing_.fingerprint && !came_to_nothing(*run_)) return std::nullopt;
    if (run_->status == RunStatus::kSucceeded && run_->reusable)
      return Done{artifacts_of(run_->outputs), success_of(*run_), false, run_->id};
    return fail(failure_of(*run_, session_.shown(run_->label), last_lines_, {again()}).at(job_.where));
  }

  LogTold told() const override { return told_; }

 private:
  // The newest run that goes on; and once one was seen, those after it, too.
  void look_now() {
    for (std::optional<Run> next = newest(); next; next = newest()) {
      const bool is_other = !run_ || run_->id != next->id;
      if (is_other && !run_ && (is_over(next->status) || had_come_to_nothing(*next))) return;
      if (is_other && run_) read_to_the_end();
      run_ = *std::move(next);
      if (is_other) attach();
      read_log();
      if (!is_over(run_->status)) return;
      read_to_the_end();
      if (!is_other) return;
    }
  }

  // Asked to try again, this one shares no end that came before, should it be remembered only now.
  bool had_come_to_nothing(const Run& run) {
    if (!session_.line().has("--retry")) return false;
    if (run.id == passed_over_) return true;
    const bool is_it = came_to_nothing(run);
    if (is_it) passed_over_ = run.id;
    return is_it;
  }

  // By itself, as its platform tells, which knows nothing of outputs.
  bool came_to_nothing(const Run& run) {
    const auto status = platform_.poll(JobHandle::of(run), {doing_.stop});
    return status && status->known &&
           (status->status == RunStatus::kFailed || status->status == RunStatus::kCancelled);
  }

  // Of this step's own, or of one that goes on with other `outputs` alone; that one stays the newest when it
  // is over.
  std::optional<Run> newest() {
    std::optional<Run> found;
    doing_.on_owner([&] {
      Result<std::vector<Run>> own = session_.state().of(job_.label, doing_.fingerprint);
      if (own && !own->empty()) found = std::move(own->front());
      if (found && !is_over(found->status)) return;
      const Result<std::vector<Run>> in_flight = session_.state().in_flight(job_.label);
      std::optional<Run> other = in_flight ? run_to_take_up(*in_flight, manifest_) : std::nullopt;
      if (!other && run_ && run_->fingerprint != doing_.fingerprint) {
        Result<std::optional<Run>> seen = session_.state().get(run_->id);
        if (seen) other = *std::move(seen);
      }
      if (other) found = std::move(other);
    });
    return found;
  }

  void attach() {
    offset_ = 0;
    is_at_end_ = false;
    lines_ = {};
    last_lines_ = {};
    if (told_.run.empty()) doing_.events(StepStarted{run_->label, {}});
    told_ = {run_->id};
    doing_.events(
        Attached{run_->label, run_->id,
                 cat("Attached to run ", run_->id, ", which another trainmake watches; `trainmake logs -f ",
                     run_->id, "` shows its log, too")});
  }

  // What cannot be read now is read the next time.
  void read_log() {
    for (;;) {
      const auto bytes = next_of_log(platform_, *run_, offset_, doing_.stop);
      if (!bytes || bytes->empty()) return;
      lines_.add(*bytes, [this](std::string_view line) { tell(line); });
    }
  }

  void read_to_the_end() {
    if (is_at_end_) return;
    read_log();
    lines_.finish([this](std::string_view line) { tell(line); });
    is_at_end_ = true;
  }

  void tell(std::string_view line) {
    std::string text = redactor_.redact(line);
    last_lines_.add(text);
    ++told_.lines;
    doing_.events(LogLine{run_->label, std::move(text)});
  }

  std::string again() { return asked_again(session_, *run_); }

  Session& session_;
  Platform& platform_;
  const Target& job_;
  const Manifest manifest_;
  Doing doing_;
  Redactor redactor_;
  std::optional<Run> run_;   // as it was remembered at the last look
  std::string passed_over_;  // a run
  LogTold told_;
  LogLines lines_;
  LastLines last_lines_;
  std::int64_t offset_ = 0;
  bool is_at_end_ = false;
  std::int64_t due_ns_ = 0;
};

}  // namespace

OnlookerOf onlooker_of_jobs(Session& session) {
  const Result<Platform*> platform = session.platform();
  if (!platform) return {};
  return [&session, at = *platform](const Target& target, const Manifest& manifest,
                                    const Doing& doing) -> std::unique_ptr<Onlooker> {
    if (target.label.kind != "job") return nullptr;
    return std::make_unique<JobOnlooker>(session, *at, target, manifest, doing);
  };
}

}  // namespace trainmake
