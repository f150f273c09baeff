#include "rules/job/platforms/slurm/slurm_queue.h"
#include "rules/job/platforms/slurm/slurm_state.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kLongestPause_ns = 10 * kSecond_ns;
constexpr std::int64_t kLongestPauseInTrouble_ns = 30 * kSecond_ns;
constexpr std::int64_t kLongestPauseForCost_ns = 30 * kSecond_ns;
constexpr std::int64_t kPausesOfItsTime = 150;  // so long is the pause after a call, at least
constexpr std::int64_t kKeptFor_ns = 5 * kSecond_ns;
constexpr std::int64_t kWantedFor_ns = 120 * kSecond_ns;
constexpr std::int64_t kMissingFor_ns = 5 * kSecond_ns;
// So many jobs and arrays are shown by scontrol while an answer of it is kept; further ones are told by a
// second squeue.
constexpr std::size_t kMostSecondLooks = 8;
constexpr std::chrono::seconds kPatienceOfSecondLook{20};
// More do not fit into the words of a command; then all jobs of the cluster are asked for.
constexpr std::size_t kMostNames = 2000;

Error cannot_tell(const std::string& what, const std::string& why) {
  return user_error(cat("Slurm does not tell ", what, ": ", printable(why)),
                    "`scontrol ping` tells whether it is well")
      .because(Blame::kRemote);
}

Result<std::vector<SlurmJob>> ask_for(SlurmCommands& commands, const std::vector<std::string>& names,
                                      const SlurmPatience& patience = {}) {
  auto told =
      commands.run(squeue_words(names.size() > kMostNames ? std::vector<std::string>() : names), patience);
  if (!told && told.error().blame == Blame::kInterrupted) return fail(std::move(told).error());
  if (!told) return fail(std::move(told).error().because(Blame::kRemote));
  if (told->exit_code != 0) return fail(cannot_tell("how jobs go", complaint_of(told->errors)));
  std::optional<std::vector<SlurmJob>> jobs = parse_squeue(told->output);
  if (!jobs) return fail(cannot_tell("how jobs go", "`squeue` says what is not understood"));
  return *std::move(jobs);
}

// Where slurmdbd heard of a job's end alone, as when slurmctld fell, it has a name of its own for it.
bool is_kept_of(const OwnJob& own, std::int64_t started_ns, const SlurmJob& job) {
  constexpr std::int64_t kClocksDiffer_s = 60;
  if (job.name != "allocation") return own.is(job);
  return job.number == own.number && started_ns != 0 &&
         std::abs(job.started_s - started_ns / kSecond_ns) <= kClocksDiffer_s;
}

// That of its array, for an element.
std::string number_of_all(const std::string& number) { return number.substr(0, number.find('_')); }

}  // namespace

Result<std::optional<std::vector<SlurmJob>>> SlurmQueue::of(const Whose& whose, Haste haste,
                                                            const SlurmPatience& patience) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = clock_.steady_ns();
  wanted_[whose.name] = now;
  const bool in_haste = haste == Haste::kSoon || !asked_.contains(whose.name);
  if (now >= (in_haste ? soon_ns_ : next_ns_)) TRY(ask(patience));
  if (error_) return fail(*error_);
  if (!asked_.contains(whose.name)) return std::optional<std::vector<SlurmJob>>();
  const auto found = answer_.find(whose);
  return std::optional(found == answer_.end() ? std::vector<SlurmJob>() : found->second);
}

// REQUIRES: the lock is held.
Result<void> SlurmQueue::ask(const SlurmPatience& patience) {
  const std::int64_t began = clock_.steady_ns();
  std::erase_if(wanted_, [&](const auto& entry) { return began - entry.second > kWantedFor_ns; });
  std::vector<std::string> names;
  for (const auto& [name, when] : wanted_) names.push_back(name);
  auto jobs = ask_for(commands_, names, patience);
  const std::int64_t now = clock_.steady_ns();
  if (!jobs && jobs.error().blame == Blame::kInterrupted) return fail(std::move(jobs).error());
  if (!jobs) return fail(in_trouble(std::move(jobs).error(), now));
  asked_ns_ = began;
  for (const SlurmJob& job : *jobs) missing_.erase(job.number);
  failures_ = 0;
  error_.reset();
  asked_ = {names.begin(), names.end()};
  Answer answer;
  for (SlurmJob& job : *jobs) {
    if (!asked_.contains(job.name)) continue;
    std::vector<SlurmJob>& same = answer[{job.name, std::string(job.element())}];
    same.push_back(std::move(job));
  }
  take(std::move(answer), now - began, now);
  return {};
}

// REQUIRES: the lock is held.
Error SlurmQueue::in_trouble(Error error, std::int64_t now_ns) {
  failures_ = std::min(failures_ + 1, 5);
  soon_ns_ = next_ns_ = now_ns + std::min(kSecond_ns << failures_, kLongestPauseInTrouble_ns);
  error_ = std::move(error);
  return *error_;
}

// REQUIRES: the lock is held.
void SlurmQueue::take(Answer answer, std::int64_t took_ns, std::int64_t now_ns) {
  const auto same_states = [](const auto& before, const auto& after) {
    return before.first == after.first &&
           std::equal(before.second.begin(), before.second.end(), after.second.begin(), after.second.end(),
                      [](const SlurmJob& a, const SlurmJob& b) {
                        return a.state == b.state && a.number == b.number;
                      });
  };
  const bool is_news = !std::equal(answer_.begin(), answer_.end(), answer.begin(), answer.end(), same_states);
  answer_ = std::move(answer);
  const std::int64_t least = std::clamp(took_ns * kPausesOfItsTime, kSecond_ns, kLongestPauseForCost_ns);
  pause_ns_ = is_news ? least : std::clamp(pause_ns_ * 3 / 2, least, std::max(least, kLongestPause_ns));
  soon_ns_ = now_ns + kSecond_ns;
  next_ns_ = now_ns + pause_ns_;
}

void SlurmQueue::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  asked_.erase(name);
}

Result<std::vector<SlurmJob>> SlurmQueue::named_now(const std::vector<std::string>& names,
                                                    const SlurmPatience& patience) {
  TRY_ASSIGN(std::vector<SlurmJob> jobs, ask_for(commands_, names, patience));
  const std::set<std::string> wanted(names.begin(), names.end());
  std::erase_if(jobs, [&](const SlurmJob& job) { return !wanted.contains(job.name); });
  return jobs;
}

Result<void> SlurmQueue::see_folders(const OwnJob& own, std::vector<SlurmJob>& jobs,
                                     const SlurmPatience& patience) {
  for (SlurmJob& job : jobs) {
    if (!own.may_be(job)) continue;
    const std::lock_guard lock(mutex_);
    TRY_ASSIGN(const Shown shown, this->shown(job.number, clock_.steady_ns(), patience));
    if (!shown) continue;
    for (const SlurmJob& told : *shown) {
      if (told.number == job.number && told.name == job.name) job.folder = told.folder;
    }
  }
  return {};
}

// An array has a name that its ticket alone tells.
Result<std::optional<SlurmJob>> SlurmQueue::going_on(const std::string& key, const std::string& number,
                                                     const SlurmPatience& patience) {
  OwnJob own{key, "", "", number};
  if (const std::size_t line = number.find('_'); line != number.npos)
    own = {"", "", number.substr(line + 1), number, true};
  TRY_ASSIGN(
      const std::vector<SlurmJob> jobs,
      ask_for(commands_, own.name.empty() ? std::vector<std::string>() : std::vector<std::string>{own.name},
              patience));
  const SlurmJob* job = job_of(own, jobs);
  if (job != nullptr && is_active(*job)) return std::optional(*job);
  TRY_ASSIGN(const bool gone, job != nullptr || number.empty() ? Result<bool>(true) : is_gone(own, patience));
  if (gone) return std::optional<SlurmJob>();
  return fail(cannot_tell("whether it has a job", "`squeue` says nothing of it, and is asked again"));
}

Result<std::vector<SlurmJob>> SlurmQueue::kept(const OwnJob& own, std::int64_t started_ns,
                                               const SlurmPatience& patience) {
  const std::lock_guard lock(mutex_);
  const std::string whole = number_of_all(own.number);
  const auto of_number = [&](std::vector<SlurmJob> jobs) {
    std::erase_if(jobs, [&](const SlurmJob& job) { return !is_kept_of(own, started_ns, job); });
    for (SlurmJob& job : jobs) job.name = own.name;
    return jobs;
  };
  const std::int64_t now = clock_.steady_ns();
  std::erase_if(kept_, [&](const auto& entry) { return now - entry.second.asked_ns > kKeptFor_ns; });
  if (const auto known = kept_.find(whole); known != kept_.end()) return of_number(known->second.jobs);
  if (!has_accounting_) return std::vector<SlurmJob>();
  auto told = commands_.run(sacct_words({whole}), patience);
  if (!told && (told.error().blame == Blame::kRemote || told.error().blame == Blame::kInterrupted))
    return fail(std::move(told).error());
  if (!told || told->errors.find("accounting storage is disabled") != std::string::npos) {
    has_accounting_ = false;
    return std::vector<SlurmJob>();
  }
  if (told->exit_code != 0) return fail(cannot_tell("what became of a job", complaint_of(told->errors)));
  std::optional<std::vector<SlurmJob>> jobs = parse_sacct(told->output);
  if (!jobs) return fail(cannot_tell("what became of a job", "`sacct` says what is not understood"));
  return of_number(kept_.insert_or_assign(whole, Kept{now, *std::move(jobs)}).first->second.jobs);
}

Result<bool> SlurmQueue::is_gone(const OwnJob& own, const SlurmPatience& patience) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = clock_.steady_ns();
  TRY_ASSIGN(const Shown shown, this->shown(number_of_all(own.number), now, patience));
  const auto missing = missing_.find(own.number);
  const std::int64_t since = missing == missing_.end() ? now : missing->second;
  switch (absence_of(own, shown, asked_ns_ >= since + kMissingFor_ns)) {
    case Absence::kContradicted:
      return fail(in_trouble(cannot_tell("how jobs go", cat("`scontrol show job ", own.number,
                                                            "` shows one that `squeue` does not tell of")),
                             now));
    case Absence::kNotSure:
      missing_.try_emplace(own.number, now);
      return false;
    case Absence::kGone:
      break;
  }
  std::erase_if(gone_, [&](const auto& entry) { return now - entry.second > kKeptFor_ns; });
  gone_[own.number] = now;
  return true;
}

// REQUIRES: the lock is held.
Result<SlurmQueue::Shown> SlurmQueue::shown(const std::string& number, std::int64_t now_ns,
                                            SlurmPatience patience) {
  std::erase_if(second_looks_,
                [&](const auto& entry) { return now_ns - entry.second.asked_ns > kKeptFor_ns; });
  if (const auto known = second_looks_.find(number); known != second_looks_.end()) return known->second.told;
  if (second_looks_.size() >= kMostSecondLooks) return Shown();
  patience.most = kPatienceOfSecondLook;
  const auto told = commands_.run(scontrol_words(number), patience);
  if (!told && told.error().blame == Blame::kInterrupted) return fail(told.error());
  const Shown jobs = told ? parse_scontrol(told->output, told->errors) : Shown();
  second_looks_[number] = {now_ns, jobs};
  return jobs;
}

bool SlurmQueue::is_known_over(const OwnJob& own) {
  const std::lock_guard lock(mutex_);
  if (own.number.empty()) return false;
  const auto gone = gone_.find(own.number);
  if (gone != gone_.end() && clock_.steady_ns() - gone->second <= kKeptFor_ns) return true;
  const auto known = answer_.find({own.name, own.element});
  return known != answer_.end() && is_told_over(own, known->second);
}

}  // namespace trainmake
