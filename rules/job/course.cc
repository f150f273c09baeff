#include "rules/job/course.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/job/checkpoint.h"
#include "rules/job/container_layout.h"
#include "rules/job/image_check.h"
#include "rules/job/intent.h"
#include "rules/job/outputs.h"
#include "rules/job/program_check.h"
#include "rules/job/rehearsal.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

// It is tried here, or may be run there just as well: then who said how knows where that counts.
bool is_meant_for_uai(const JobServices& services) {
  if (told_by(services.platform.traits.contract.version).name == "uai") return true;
  const std::vector<std::string> names = services.space.names("platform");
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    const std::string* type = services.space.find("platform", name)->text("type");
    return type != nullptr && *type == "uai";
  });
}

// Said of where it runs by the options of another platform.
void tell_without_effect(const Target& job, const JobServices& services, const Doing& doing) {
  const Value* resources = job.find("resources");
  if (services.platform.traits.rents_nodes || resources == nullptr || resources->table() == nullptr) return;
  if (is_meant_for_uai(services)) return;
  for (const auto& [option, instead] :
       {std::pair("node_type", "`gpus`, `cpus` and `memory` say what a node has"),
        std::pair("hours", "`timeout` says how long a job may take")}) {
    if (resources->table()->find(option) == nullptr) continue;
    doing.events(
        Message{job.label, cat(quoted(option), " is an option of uai, and without effect on platform ",
                               quoted(services.platform_name), "; ", instead)});
  }
}

constexpr int kMostAskedFor = 8;  // of runs that failed: the platform is asked how each ended

}  // namespace

Courses::Courses(const JobServices& services, Listings& listings)
    : services_(services),
      listings_(listings),
      plans_(services, listings),
      submissions_(services.platform, services.host.clock),
      watcher_(services.host.clock) {}

struct Courses::Choice {
  enum class What : std::uint8_t { kTake, kAdopt, kStart } what = What::kStart;
  Run run;
};

// On the owner's thread.
Result<Courses::Choice> Courses::choose(const Subject& subject, const Description& description,
                                        const JobPlan& plan, bool afresh) {
  const Label& label = subject.target().label;
  const Fingerprint fingerprint = description.manifest.fingerprint();
  TRY_ASSIGN(const std::vector<Run> runs, services_.runs.of(label, fingerprint));
  const auto unfinished =
      std::find_if(runs.begin(), runs.end(), [](const Run& run) { return !is_over(run.status); });
  if (unfinished != runs.end()) return Choice{Choice::What::kAdopt, *unfinished};
  if (!afresh && !runs.empty() && runs.front().status == RunStatus::kSucceeded && runs.front().reusable) {
    // Its record was not written, or it would not have come to this; or what it left is gone.
    std::vector<std::pair<std::string, Stat>> looked_at;
    TRY_ASSIGN(const bool kept, are_kept(services_.host.files, services_.blobs,
                                         artifacts_of(runs.front().outputs), looked_at));
    if (kept) return Choice{Choice::What::kTake, runs.front()};
  }
  Run run;
  run.label = label;
  run.fingerprint = fingerprint;
  run.manifest = description.manifest;
  TRY_ASSIGN(run, make_intent(services_, plan, applicant_of(services_, subject), std::move(run)));
  return Choice{Choice::What::kStart, std::move(run)};
}

Result<JobSpec> Courses::spec_of(const Subject& subject, const Doing& doing) {
  TRY_ASSIGN(JobPlan plan, plans_.plan_of(subject));
  TRY(plans_.have_image(subject, plan, doing));
  return std::move(plan.spec);
}

// What becomes of a job's step: attempts at it, until one is taken or no more are made. Where the platform
// takes many it pauses while one is handed over, and while it is watched.
class Courses::Course : public std::enable_shared_from_this<Courses::Course> {
 public:
  Course(Courses& courses, const Subject& subject, const Description& description, const Doing& doing,
         JobPlan plan, int failures)
      : courses_(courses),
        subject_(subject),
        description_(description),
        doing_(doing),
        plan_(std::move(plan)),
        failures_(failures),
        afresh_(doing.afresh) {}

  Result<Done> next();

 private:
  Result<void> find_checkpoint();
  void resume_from(std::optional<Checkpoint> checkpoint);
  Result<void> settle_checkpoint(const Run& run);
  Run as_declared(Run run) const;
  Result<void> take_over();
  Result<std::optional<Run>> lacking_outputs_alone();
  Result<std::optional<Done>> keep_late();
  // Asked to try again, a trouble with what an earlier one left is no reason not to.
  bool is_told_to_go_on(const Error& error) const {
    return courses_.services_.tries_again && error.blame != Blame::kInterrupted;
  }
  Result<Done> hand_over();
  Result<Done> watch();
  // Nothing: it is tried again.
  Result<std::optional<Done>> end(bool over);
  Result<Done> go_on(bool over);

  Courses& courses_;
  const Subject& subject_;
  const Description& description_;
  const Doing& doing_;
  JobPlan plan_;                     // what is resumed from is of each attempt
  std::vector<std::string> naming_;  // texts in that, which name folders of earlier runs
  int failures_;                     // of this round of tries
  bool afresh_;
  bool is_new_ = false;  // the attempt
  std::optional<Attempt> attempt_;
};

void Courses::Course::resume_from(std::optional<Checkpoint> checkpoint) {
  plan_.spec.resumed = std::move(checkpoint);
  plan_.provenance_json = with_resumed(plan_.provenance_json, plan_.spec.resumed);
}

// Before there is an intent, which says what the run goes on from. Where what jobs leave lies in a store,
// only `resume` brings it.
Result<void> Courses::Course::find_checkpoint() {
  const JobServices& services = courses_.services_;
  const Label& label = subject_.target().label;
  if (!plan_.spec.resume && services.platform.traits.reads_stores) return {};
  std::optional<Result<std::vector<Run>>> runs;
  doing_.on_owner([&] {
    runs = plan_.spec.resume ? services.runs.of(label) : services.runs.of(label, doing_.fingerprint);
  });
  if (!*runs) return fail(std::move(*runs).error());
  std::vector<Run> earlier = **std::move(runs);
  const auto is_taken_up = [&](const Run& run) {  // with what it was begun with
    return !is_over(run.status) && run.fingerprint == doing_.fingerprint;
  };
  if (std::any_of(earlier.begin(), earlier.end(), is_taken_up)) return {};
  if (!plan_.spec.resume) earlier = in_vain_since_success(std::move(earlier));
  const auto tell = [&](std::string text) { doing_.events(Message{label, std::move(text)}); };
  const CheckpointSources sources{services.host.files, services.blobs,         courses_.listings_,
                                  services.platform,   services.platform_name, tell};
  TRY_ASSIGN(std::optional<Checkpoint> checkpoint, last_checkpoint(sources, earlier, doing_.stop));
  if (checkpoint) {
    TRY_ASSIGN(naming_, texts_naming_folders_of(earlier, services.blobs, *checkpoint));
  }
  resume_from(std::move(checkpoint));
  return {};
}

// Attempts do not share a checkpoint folder, so that what each began with is known.
Result<void> Courses::Course::settle_checkpoint(const Run& run) {
  plan_.spec.checkpoint = own_checkpoint(run.id);
  if (!is_new_) {
    TRY_ASSIGN(std::optional<Checkpoint> given, resumed_by(courses_.listings_, run));
    resume_from(std::move(given));
  } else if (plan_.spec.resumed) {
    doing_.events(
        Message{subject_.target().label, cat("Goes on from the checkpoint of run ", plan_.spec.resumed->run,
                                             " (", size_text(*plan_.spec.resumed), ")")});
    if (!naming_.empty())
      doing_.events(Message{subject_.target().label,
                            cat("In it ", quoted(naming_.front()),
                                naming_.size() == 1 ? "" : cat(" and ", naming_.size() - 1, " more"),
                                naming_.size() == 1 ? " names" : " name",
                                " the checkpoint folder of an earlier run: by that path the job reads and "
                                "writes there, and not ",
                                "in its own. Let it save paths relative to its checkpoint folder")});
  }
  return {};
}

// Of the job as it is now, with its `outputs`.
Run Courses::Course::as_declared(Run run) const {
  run.manifest = description_.manifest;
  run.fingerprint = run.manifest.fingerprint();
  run.provenance_json = with_outputs(run.provenance_json, plan_.spec.outputs);
  return run;
}

// A job that goes on is not begun beside itself because something else of what it leaves is to be kept.
Result<void> Courses::Course::take_over() {
  std::optional<Result<std::vector<Run>>> runs;
  doing_.on_owner([&] { runs = courses_.services_.runs.in_flight(subject_.target().label); });
  if (!*runs) return fail(std::move(*runs).error());
  std::optional<Run> run = run_to_take_up(**runs, description_.manifest);
  if (!run || run->fingerprint == doing_.fingerprint) return {};
  doing_.events(Message{run->label, cat("Run ", run->id,
                                        " was begun with other `outputs`, and is this job all "
                                        "the same: none is begun beside it")});
  Result<void> put;
  doing_.on_owner([&] { put = courses_.services_.runs.put(as_declared(*std::move(run))); });
  return put;
}

// The latest run that failed for its outputs alone, where these are declared as others by now.
Result<std::optional<Run>> Courses::Course::lacking_outputs_alone() {
  const JobServices& services = courses_.services_;
  std::optional<Result<std::vector<Run>>> runs;
  doing_.on_owner([&] { runs = services.runs.of(subject_.target().label); });
  if (!*runs) return fail(std::move(*runs).error());
  const Manifest& now = description_.manifest;
  const Fingerprint work = work_of_job(now);
  const auto settles = [&](const Run& run) {
    const bool came_to_something =
        !is_over(run.status) || run.status == RunStatus::kSucceeded || has_failed(run);
    return came_to_something && run.fingerprint == now.fingerprint();
  };
  if (std::any_of((*runs)->begin(), (*runs)->end(), settles)) return std::optional<Run>();
  int asked = 0;
  for (Run& run : **runs) {
    // What came after that is what counts, and what it left may have been gone on from.
    if (run.status == RunStatus::kSucceeded && (plan_.spec.resume || work_of_job(run.manifest) == work))
      break;
    if (!has_failed(run) || run.exit_code.value_or(0) != 0 || work_of_job(run.manifest) != work) continue;
    if (++asked > kMostAskedFor) break;
    // Who ran it knows nothing of outputs.
    const auto there = services.platform.poll(JobHandle::of(run), {doing_.stop});
    if (there && there->known && there->status == RunStatus::kSucceeded) return std::optional(std::move(run));
  }
  return std::optional<Run>();
}

// What was computed is not computed again because it was not called by its name.
Result<std::optional<Done>> Courses::Course::keep_late() {
  if (afresh_) return std::optional<Done>();
  TRY_ASSIGN(std::optional<Run> run, lacking_outputs_alone());
  if (!run) return std::optional<Done>();
  Attempt attempt(courses_.services_, plan_, doing_, Metrics(), std::nullopt, as_declared(*std::move(run)));
  Result<bool> is_kept = attempt.keep_late();
  if (!is_kept && is_told_to_go_on(is_kept.error())) {
    doing_.events(Message{attempt.run().label, cat("What run ", attempt.run().id,
                                                   " left cannot be taken: ", is_kept.error().message)});
    return std::optional<Done>();
  }
  if (!is_kept) return fail(std::move(is_kept).error());
  if (!*is_kept && (attempt.left_nothing() || courses_.services_.tries_again)) return std::optional<Done>();
  TRY(attempt.remember_end());
  if (!*is_kept) return fail(attempt.failure().at(subject_.target().where));
  const Run& kept = attempt.run();
  doing_.events(
      Message{kept.label, cat("Run ", kept.id, " left what `outputs` names: taken, nothing is submitted")});
  return std::optional(Done{artifacts_of(kept.outputs), success_of(kept), false, kept.id});
}

Result<Done> Courses::Course::next() {
  const JobServices& services = courses_.services_;
  TRY(take_over());
  TRY_ASSIGN(std::optional<Done> kept_late, keep_late());
  if (kept_late) return *std::move(kept_late);
  TRY(find_checkpoint());
  std::optional<Result<Choice>> chosen;
  doing_.on_owner([&] { chosen = courses_.choose(subject_, description_, plan_, afresh_); });
  TRY_ASSIGN(Choice choice, std::move(*chosen));
  if (choice.what == Choice::What::kTake)
    return Done{artifacts_of(choice.run.outputs), "had succeeded already", false, choice.run.id};
  is_new_ = choice.what == Choice::What::kStart;
  TRY(settle_checkpoint(choice.run));
  std::optional<std::vector<GivenTree>> given = plan_.spec.data;
  if (!is_new_) {
    TRY_ASSIGN(given, data_given_to(courses_.listings_, choice.run));
  }
  attempt_.emplace(services, plan_, doing_, Metrics::of(subject_.target().find("metrics")), std::move(given),
                   std::move(choice.run));
  if (!services.platform.traits.takes_many) {
    TRY(attempt_->hand_over(is_new_));
    return watch();
  }
  TRY_ASSIGN(const bool to_be_started, attempt_->take_up(is_new_));
  return to_be_started ? hand_over() : watch();
}

Result<Done> Courses::Course::hand_over() {
  TRY_ASSIGN(Submission submission, attempt_->submission());
  auto answer = std::make_shared<std::optional<Result<std::string>>>();
  const auto self = shared_from_this();
  return pausing({[self, answer, submission = std::move(submission)](const std::function<void()>& wake) {
                    self->courses_.submissions_.add(submission, [answer, wake](Result<std::string> job) {
                      *answer = std::move(job);
                      wake();
                    });
                  },
                  [self, answer]() -> Result<Done> {
                    TRY(self->attempt_->submitted(*std::move(*answer)));
                    return self->watch();
                  }});
}

Result<Done> Courses::Course::watch() {
  if (!courses_.services_.platform.traits.takes_many) {
    TRY_ASSIGN(const bool over, attempt_->watch());
    return go_on(over);
  }
  auto answer = std::make_shared<std::optional<Result<bool>>>();
  const auto self = shared_from_this();
  return pausing({[self, answer](const std::function<void()>& wake) {
                    self->courses_.watcher_.watch(*self->attempt_, [answer, wake](Result<bool> over) {
                      *answer = std::move(over);
                      wake();
                    });
                  },
                  [self, answer]() -> Result<Done> {
                    TRY_ASSIGN(const bool over, *std::move(*answer));
                    return self->go_on(over);
                  }});
}

Result<Done> Courses::Course::go_on(bool over) {
  TRY_ASSIGN(std::optional<Done> done, end(over));
  if (!done) return next();
  return *std::move(done);
}

Result<std::optional<Done>> Courses::Course::end(bool over) {
  const Label& label = subject_.target().label;
  if (!over) {
    std::string typed;
    doing_.on_owner([&] { typed = typed_for(courses_.services_.runs, attempt_->run(), plan_.shortest); });
    doing_.events(Message{label, left_running(typed)});
    return std::optional(Done{{}, cat("run ", attempt_->run().id), true, attempt_->run().id});
  }
  TRY(attempt_->conclude());
  const Run& run = attempt_->run();
  // Asked for anew: one that had ended by then is not that; nor, asked to try again, one that came to
  // nothing.
  const bool was_in_vain = run.status == RunStatus::kFailed || run.status == RunStatus::kCancelled;
  const bool is_asked_again = doing_.afresh || (courses_.services_.tries_again && was_in_vain);
  if (attempt_->had_ended() && is_asked_again) return std::optional<Done>();
  if (run.status == RunStatus::kSucceeded && run.reusable)
    return std::optional(Done{artifacts_of(run.outputs), success_of(run), false, run.id});
  const bool lost_before = run.status == RunStatus::kLost && !is_new_;
  // What ended well and left something under other names would do so again.
  const bool is_misnamed = attempt_->left_other_names();
  const bool once_more = run.status == RunStatus::kFailed && !is_misnamed && failures_++ < plan_.retries;
  if ((!lost_before && !once_more) || doing_.stop.stop_requested())
    return fail(attempt_->failure().at(subject_.target().where));
  doing_.events(Message{label, lost_before ? cat("Run ", run.id, " was lost: starting again")
                                           : cat("Failed (", run.reason, "): trying again, ", failures_,
                                                 " of ", plan_.retries)});
  afresh_ = true;
  return std::optional<Done>();
}

Result<Done> Courses::run(const Subject& subject, const Description& description, const Doing& doing) {
  CHECK(description.certain);
  const Submissions::Coming coming(submissions_);
  TRY_ASSIGN(JobPlan plan, plans_.plan_of(subject));
  TRY(plans_.check_stored(subject, plan, doing));
  TRY(plans_.have_image(subject, plan, doing));
  tell_without_effect(subject.target(), services_, doing);
  std::optional<Result<std::vector<Run>>> earlier;
  doing.on_owner([&] { earlier = services_.runs.of(subject.target().label, doing.fingerprint); });
  if (!*earlier) return fail(std::move(*earlier).error());
  const int failures = doing.afresh ? 0 : failed_of_round(**earlier, plan.retries);
  std::optional<Result<std::vector<Run>>> in_flight;
  doing.on_owner([&] { in_flight = services_.runs.in_flight(subject.target().label); });
  if (!*in_flight) return fail(std::move(*in_flight).error());
  const bool goes_on = run_to_take_up(**in_flight, description.manifest).has_value();
  if (plan.spec.root && !goes_on) {
    if (auto fits = check_image(services_.platform.traits.contract, plan.spec); !fits) {
      Error error = std::move(fits).error();
      if (is_on_scratch(subject)) error.hint = kOfScratch;
      return fail(
          std::move(error).at(subject.target().place_of(plan.spec.command.empty() ? "main" : "command")));
    }
  }
  const RehearsalPlan rehearsal = rehearsal_of(subject.target());
  if (services_.rehearsal && rehearsal.steps > 0 && !goes_on) {
    if (auto passed = rehearse(*services_.rehearsal, services_.host, plan, rehearsal, doing); !passed)
      return fail(std::move(passed).error().at(subject.target().place_of("preflight")));
  }
  return std::make_shared<Course>(*this, subject, description, doing, std::move(plan), failures)->next();
}

}  // namespace trainmake
