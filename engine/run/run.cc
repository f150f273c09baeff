#include "engine/run/run.h"

#include <algorithm>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <utility>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/run/step.h"

namespace trainmake {
namespace {

constexpr std::chrono::milliseconds kTick{50};
constexpr std::chrono::milliseconds kLockPause{100};
constexpr unsigned kNetworkSteps = 4;

class Runner final : public Inputs {
 public:
  Runner(const RunServices& services, Plan plan, const RunOptions& options, std::stop_token stop)
      : services_(services),
        decider_(services.decider),
        graph_(decider_.graph),
        plan_(std::move(plan)),
        options_(options),
        stop_(std::move(stop)) {}

  Summary run();

  const Artifacts* artifacts(TargetId target) const override {
    return results_[target] ? &*results_[target] : nullptr;
  }
  const std::any* carry(TargetId target) const override {
    const std::any& carry = plan_.steps[target].description.carry;
    return carry.has_value() ? &carry : nullptr;
  }

 private:
  // On the owner's thread.
  void expect_others();
  void needs_are_done(TargetId id);
  void take_up(TargetId id);
  void start(TargetId id);
  void came_to(TargetId id, Result<Done> done);
  void executed(TargetId id, Result<Done> done);
  void reuse(TargetId id);
  void reused(TargetId id);
  bool still_to_do(TargetId id);
  bool note_newest_run(TargetId id);
  bool was_done(TargetId id, Result<Done> ended);
  void fail_step(TargetId id, Error error);
  void finish(TargetId id, Outcome outcome, const std::string& note);
  bool as_planned(TargetId id) const;
  bool stopping() const { return stop_.stop_requested() || (failed_ && !options_.keep_going); }
  Summary summary() const;

  // From workers.
  void post(std::function<void()> work) { messages_.send(std::move(work)); }
  void on_owner(const std::function<void()>& work);
  void lock_and_execute(TargetId id);
  Result<bool> hold(TargetId id, std::unique_ptr<Onlooker>& onlooker);
  void execute(TargetId id, LogTold told);

  Doing doing_of(TargetId id, LogTold told);
  Subject subject(TargetId id) const { return {graph_, id, *this}; }
  Rule& rule(TargetId id) const { return *rule_of(decider_.rules, graph_[id].label.kind); }
  WorkerPool& pool(TargetId id);
  std::int64_t elapsed_ms(TargetId id) const {
    return (services_.clock.steady_ns() - began_[id]) / 1'000'000;
  }

  struct AtWork {
    Subject subject;
    Doing doing;
  };

  const RunServices& services_;
  const Decider& decider_;
  const Graph& graph_;
  Plan plan_;
  RunOptions options_;
  std::stop_token stop_;
  std::vector<StepProgress> steps_;
  std::vector<std::optional<Artifacts>> foreseen_;  // by the plan as it was made
  std::vector<std::optional<Artifacts>> results_;
  std::vector<std::optional<FileLock>> locks_;
  std::vector<std::unique_ptr<AtWork>> doings_;  // from its execution to its end
  std::vector<std::int64_t> began_;
  std::string newest_run_;                // of all, when this was asked for
  std::vector<std::string> newest_runs_;  // of the labels, when their steps were begun
  std::vector<std::size_t> waiting_for_;
  std::vector<std::vector<TargetId>> needed_by_;
  std::deque<TargetId> ready_;
  std::size_t unfinished_ = 0;
  std::size_t busy_ = 0;  // steps at a worker, or pausing
  bool failed_ = false;
  std::vector<Blame> blames_;
  Channel<std::function<void()>> messages_;
  // Last, so that they end first: their work refers to all of the above.
  std::map<Pool, std::unique_ptr<WorkerPool>> pools_;
};

WorkerPool& Runner::pool(TargetId id) {
  const Pool kind = rule(id).pool();
  std::unique_ptr<WorkerPool>& pool = pools_[kind];
  if (!pool) pool = std::make_unique<WorkerPool>(kind == Pool::kNetwork ? kNetworkSteps : options_.parallel);
  return *pool;
}

void Runner::on_owner(const std::function<void()>& work) {
  std::promise<void> done;
  post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

Summary Runner::run() {
  const std::size_t count = graph_.targets.size();
  steps_.resize(count);
  foreseen_.resize(count);
  results_.resize(count);
  locks_.resize(count);
  doings_.resize(count);
  began_.resize(count);
  newest_runs_.resize(count);
  waiting_for_.resize(count);
  needed_by_ = graph_.needed_by();
  unfinished_ = count;
  // A failure that is remembered stops as one that happens does, and before anything is begun: which step
  // comes first is chance.
  failed_ = plan_.failed().has_value();
  newest_run_ = decider_.memory.newest_run().value_or("");  // memory that fails is told with each step
  for (TargetId id = 0; id < count; ++id) {
    if (const Artifacts* outcome = plan_.steps[id].outcome()) foreseen_[id] = *outcome;
    for (const TargetId user : needed_by_[id]) ++waiting_for_[user];
  }
  for (TargetId id = 0; id < count; ++id) {
    if (waiting_for_[id] == 0) ready_.push_back(id);
  }
  bool begun = false;
  while (unfinished_ > 0) {
    while (!ready_.empty()) {
      const TargetId id = ready_.front();
      ready_.pop_front();
      needs_are_done(id);
    }
    if (unfinished_ == 0) break;
    if (!std::exchange(begun, true)) expect_others();
    CHECK(busy_ > 0);
    if (std::optional<std::function<void()>> message = messages_.receive(kTick)) (*message)();
    if (services_.tick) services_.tick();
  }
  return summary();
}

Summary Runner::summary() const {
  Summary summary;
  for (TargetId id = 0; id < steps_.size(); ++id)
    summary.of(*steps_[id].outcome()).push_back(graph_[id].label);
  for (std::vector<Label>& labels : summary.steps) std::sort(labels.begin(), labels.end());
  summary.exit_code = exit_code_of(blames_, stop_.stop_requested());
  return summary;
}

// Whether everything it needs came out as the plan had it when it described this step; what is foreseen of a
// need that was described again since is not what this description holds.
bool Runner::as_planned(TargetId id) const {
  if (!plan_.steps[id].description.certain) return false;
  const auto same = [](const Artifacts& a, const Artifacts& b) {
    return std::all_of(a.begin(), a.end(), [&](const Artifact& foreseen) {
      return std::any_of(b.begin(), b.end(), [&](const Artifact& artifact) {
        return artifact.role == foreseen.role && artifact.identity == foreseen.identity;
      });
    });
  };
  return std::all_of(graph_[id].needs.begin(), graph_[id].needs.end(), [&](const Dependency& need) {
    return foreseen_[need.target] && same(*foreseen_[need.target], *results_[need.target]);
  });
}

// Once the workers are at the first steps: threads are not started while a library is loaded.
void Runner::expect_others() {
  for (TargetId id = 0; id < steps_.size(); ++id) {
    const PlannedStep& step = plan_.steps[id];
    const bool to_do = step.verdict == Verdict::kRun || step.verdict == Verdict::kMaybe;
    if (to_do && waiting_for_[id] > 0 && !stopping()) rule(id).expect(subject(id), step.description);
  }
}

void Runner::needs_are_done(TargetId id) {
  const std::vector<Dependency>& needs = graph_[id].needs;
  const bool usable = std::all_of(needs.begin(), needs.end(),
                                  [&](const Dependency& need) { return steps_[need.target].usable(); });
  if (!usable && plan_.steps[id].verdict != Verdict::kFailed) return finish(id, Outcome::kSkipped, "");
  if (!usable || as_planned(id)) return take_up(id);
  if (stopping()) return finish(id, Outcome::kSkipped, "");
  steps_[id].set(StepState::kDescribing);
  ++busy_;
  pool(id).run([this, id] {
    auto description = std::make_shared<Result<Description>>(rule(id).describe(subject(id)));
    post([this, id, description] {
      --busy_;
      if (!*description) return fail_step(id, std::move(*description).error());
      Looks looks;
      Result<PlannedStep> step = decider_.decide(subject(id), *std::move(*description), looks);
      if (!step) return fail_step(id, std::move(step).error());
      plan_.steps[id] = *std::move(step);
      take_up(id);
    });
  });
}

void Runner::take_up(TargetId id) {
  PlannedStep& step = plan_.steps[id];
  switch (step.verdict) {
    case Verdict::kUpToDate:
      results_[id] = step.record->artifacts;
      return finish(id, Outcome::kUpToDate, "");
    case Verdict::kFailed:
      return fail_step(id, *step.failure);
    case Verdict::kReuse:
      if (stopping()) return finish(id, Outcome::kSkipped, "");
      return reuse(id);
    case Verdict::kRun:
    case Verdict::kMaybe:
      if (stopping()) return finish(id, Outcome::kSkipped, "");
      return start(id);
  }
}

// What an earlier result left may lie where it takes a while to name it again.
void Runner::reuse(TargetId id) {
  ++busy_;
  pool(id).run([this, id] {
    const EventSink posted = [this](const Event& event) { post([this, event] { services_.events(event); }); };
    auto restored =
        std::make_shared<Result<void>>(rule(id).restore(subject(id), *plan_.steps[id].record, posted, stop_));
    post([this, id, restored] {
      --busy_;
      if (!*restored) return fail_step(id, std::move(*restored).error());
      reused(id);
    });
  });
}

void Runner::reused(TargetId id) {
  Record record = *plan_.steps[id].record;
  record.when_ns = services_.clock.now_ns();  // it is the label's result from now on
  record.manifest = std::move(plan_.steps[id].description.manifest);
  if (Result<void> kept = decider_.memory.remember(record); !kept)
    return fail_step(id, std::move(kept).error());
  if (graph_[id].label.kind == "job") services_.tally.reused_jobs += 1;
  results_[id] = record.artifacts;
  finish(id, Outcome::kReused, "an earlier result");
}

void Runner::start(TargetId id) {
  began_[id] = services_.clock.steady_ns();
  ++busy_;
  pool(id).run([this, id] { lock_and_execute(id); });
}

// On a worker: waits until no other process does this step, and has it told what that one does. False when it
// was stopped.
Result<bool> Runner::hold(TargetId id, std::unique_ptr<Onlooker>& onlooker) {
  const Label& label = graph_[id].label;
  const Manifest& manifest = plan_.steps[id].description.manifest;
  const std::optional<Fingerprint> work = rule_of(decider_.rules, label.kind)->work_of(manifest);
  bool is_told = false;
  while (services_.locker) {
    TRY_ASSIGN(std::optional<FileLock> lock, services_.locker(label, work));
    if (lock) {
      locks_[id] = *std::move(lock);  // the owner touches it only when the step is done, after us
      return true;
    }
    if (!options_.wait)
      return fail(user_error(cat("Another trainmake is doing ", quoted(label.text())),
                             "Leave out `--no-wait` to wait for it")
                      .because(Blame::kBusy));
    if (!is_told) on_owner([&] { steps_[id].set(StepState::kLocking); });
    if (!onlooker && services_.onlooker)
      onlooker = services_.onlooker(graph_[id], manifest, doing_of(id, {}));
    const bool tells = onlooker && onlooker->look();
    if (!tells && !is_told)
      post([this, id] {
        services_.events(Message{graph_[id].label, "waits for another trainmake that is doing it"});
      });
    is_told = true;
    if (services_.clock.wait(kLockPause, stop_)) return false;
  }
  return true;
}

// On a worker: holds the step, looks whether another process did it, and does it.
void Runner::lock_and_execute(TargetId id) {
  std::unique_ptr<Onlooker> onlooker;
  Result<bool> held = hold(id, onlooker);
  std::optional<Result<Done>> ended;
  LogTold told;
  if (onlooker) ended = onlooker->end(), told = onlooker->told();
  bool to_do = false;
  on_owner([&] {
    --busy_;
    if (!held) return fail_step(id, std::move(held).error());
    if (ended && was_done(id, *std::move(ended))) return;
    if (!*held) return finish(id, Outcome::kSkipped, "interrupted");
    to_do = still_to_do(id) && note_newest_run(id);
    if (!to_do) return;
    ++busy_;
    const PlannedStep& step = plan_.steps[id];
    steps_[id].set(StepState::kRunning);
    if (told.run.empty()) services_.events(StepStarted{graph_[id].label, step.reasons});
    for (const std::string& note : step.description.notes) services_.events(Message{graph_[id].label, note});
  });
  if (to_do) execute(id, std::move(told));
}

// On the owner's thread: whether what another process was seen to do is the end of this step, too.
bool Runner::was_done(TargetId id, Result<Done> ended) {
  if (!ended) {
    fail_step(id, std::move(ended).error());
    return true;
  }
  if (ended->detached) {
    finish(id, Outcome::kDetached, ended->note);
    return true;
  }
  Result<std::optional<Record>> record = decider_.memory.find(graph_[id].label, plan_.steps[id].fingerprint);
  if (!record || !*record || (*record)->run != ended->run) return false;  // its record was not written
  // This one asked later than who did it, and perhaps than who did something else meanwhile.
  if (Result<void> kept = decider_.memory.remember_in_turn(**record, {newest_run_, ended->run}); !kept) {
    fail_step(id, std::move(kept).error());
    return true;
  }
  results_[id] = std::move((*record)->artifacts);
  finish(id, Outcome::kRan, ended->note);
  return true;
}

// On the owner's thread, the step's lock held: another process may have done it since it was decided, or it
// failed or was cancelled there. If anything was remembered since, it is decided once more, for the last
// time; what is not to be run any more is finished.
bool Runner::still_to_do(TargetId id) {
  // It waited for a worker, and something failed meanwhile.
  if (stopping()) {
    finish(id, Outcome::kSkipped, "");
    return false;
  }
  if (!services_.locker) return true;
  const Result<std::uint64_t> generation = decider_.memory.generation();
  if (generation && *generation == plan_.steps[id].generation) return true;
  Looks looks;
  Result<PlannedStep> step = decider_.decide(subject(id), std::move(plan_.steps[id].description), looks);
  if (!step) {
    fail_step(id, std::move(step).error());
    return false;
  }
  plan_.steps[id] = *std::move(step);
  const Verdict verdict = plan_.steps[id].verdict;
  if (verdict == Verdict::kRun || verdict == Verdict::kMaybe) return true;
  take_up(id);
  return false;
}

// On the owner's thread. Of steps of one label, whose result it keeps is told by who was asked last.
bool Runner::note_newest_run(TargetId id) {
  Result<std::string> run = decider_.memory.newest_run(graph_[id].label);
  if (!run) {
    fail_step(id, std::move(run).error());
    return false;
  }
  newest_runs_[id] = *std::move(run);
  return true;
}

Doing Runner::doing_of(TargetId id, LogTold told) {
  const PlannedStep& step = plan_.steps[id];
  return {step.fingerprint,
          stop_,
          [this](const Event& event) { post([this, event] { services_.events(event); }); },
          services_.tally,
          [this](const std::function<void()>& work) { on_owner(work); },
          step.afresh,
          options_.wait,
          std::move(told)};
}

void Runner::execute(TargetId id, LogTold told) {
  doings_[id] = std::make_unique<AtWork>(AtWork{subject(id), doing_of(id, std::move(told))});
  const PlannedStep& step = plan_.steps[id];
  came_to(id, rule(id).execute(doings_[id]->subject, step.description, doings_[id]->doing));
}

// On a worker, which a step that pauses gives back.
void Runner::came_to(TargetId id, Result<Done> done) {
  if (done && done->pause) {
    const std::shared_ptr<Pause> pause = std::move(done->pause);
    return pause->begin([this, id, pause] {
      post([this, id, pause] { pool(id).run([this, id, pause] { came_to(id, pause->go_on()); }); });
    });
  }
  post([this, id, came = std::make_shared<Result<Done>>(std::move(done))] {
    --busy_;
    executed(id, std::move(*came));
  });
}

void Runner::executed(TargetId id, Result<Done> done) {
  if (!done) return fail_step(id, std::move(done).error());
  if (done->detached) return finish(id, Outcome::kDetached, done->note);
  PlannedStep& step = plan_.steps[id];
  const Record record{graph_[id].label, step.fingerprint,         std::move(step.description.manifest),
                      done->artifacts,  services_.clock.now_ns(), options_.version,
                      done->run};
  if (Result<void> kept = decider_.memory.remember_in_turn(record, {newest_run_, newest_runs_[id]}); !kept)
    return fail_step(id, std::move(kept).error());
  results_[id] = std::move(done->artifacts);
  finish(id, Outcome::kRan, done->note);
}

void Runner::fail_step(TargetId id, Error error) {
  if (error.blame == Blame::kInterrupted) return finish(id, Outcome::kSkipped, "interrupted");
  failed_ = true;
  blames_.push_back(error.blame);
  for (Error& each : each_of(std::move(error))) {
    if (!each.where.known()) each.where = graph_[id].where;
    services_.events(Problem{std::move(each), graph_[id].label});
  }
  finish(id, Outcome::kFailed, "");
}

void Runner::finish(TargetId id, Outcome outcome, const std::string& note) {
  const bool was_started = steps_[id].state() == StepState::kRunning;
  steps_[id].finish(outcome);
  locks_[id].reset();
  doings_[id].reset();
  --unfinished_;
  services_.events(StepEnded{graph_[id].label, outcome, note, was_started ? elapsed_ms(id) : 0});
  for (const TargetId user : needed_by_[id]) {
    if (--waiting_for_[user] == 0) ready_.push_back(user);
  }
}

}  // namespace

Summary run(const RunServices& services, Plan plan, const RunOptions& options, std::stop_token stop) {
  return Runner(services, std::move(plan), options, std::move(stop)).run();
}

int exit_code_of(const std::vector<Blame>& blames, bool interrupted) {
  if (interrupted) return exit_code_of(Blame::kInterrupted);
  for (const Blame blame : {Blame::kBug, Blame::kUser, Blame::kStep, Blame::kBusy, Blame::kRemote}) {
    if (std::find(blames.begin(), blames.end(), blame) != blames.end()) return exit_code_of(blame);
  }
  return 0;
}

}  // namespace trainmake
